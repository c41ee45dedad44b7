"""A program that has used up its descriptors is recorded on: its tape has room that was mapped while one was free."""

from __future__ import annotations

import pytest

from .recording import Recorder

PROGRAM = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
listener = socket.create_server(("127.0.0.1", 0))
listener.setblocking(False)
kept = []
try:
    while True:
        kept.append(socket.create_connection(listener.getsockname()))
        kept.append(listener.accept()[0])
except OSError as error:
    failure = error.errno
for _ in range(int(sys.argv[1])):
    try:
        listener.accept()
    except OSError as error:
        assert error.errno == failure
print(failure)
"""


@pytest.mark.parametrize("core", ["c", "python"])
def test_calls_without_a_free_descriptor_are_recorded(record: Recorder, core: str) -> None:
    done = record(record.script(PROGRAM), "20000", options=("--core", core))
    assert (done.status, done.out) == (0, "24\n")
    assert done.rows("SELECT count(*) AS n FROM calls WHERE errno = 24")[0]["n"] >= 20_000
    assert (done.run["calls_lost"], done.blind_spots) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("core", ["c", "python"])
def test_where_not_even_that_is_enough_the_trace_says_why(record: Recorder, core: str) -> None:
    done = record(record.script(PROGRAM), "150000", options=("--core", core), whole=False)
    (spot,) = done.blind_spots
    assert "no descriptor left (EMFILE)" in spot
    assert done.run["calls_lost"] > 0
    assert done.run["calls_recorded"] + done.run["calls_lost"] > 150_000
