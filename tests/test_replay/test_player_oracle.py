"""The player shows what SQL says of the trace, at any moment of real runs: of every kind of server, with packets, folds, forks, TLS."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from sockreel.replay.language import language
from sockreel.replay.player.state import Play
from sockreel.replay.reading import Reader
from sockreel.tests.test_replay.oracle import Oracle, Stood
from sockreel.traces import open_trace

SAMPLES = sorted(path.name for path in Path(str(resources.files("sockreel.traces") / "samples")).glob("*.db"))
PROGRAMS = Path(__file__).parent.parent / "test_recorder" / "programs"


def assert_agrees(path: Path, moments: int) -> dict[str, int]:
    """Compare the player with the oracle; return how often each thing was looked at."""
    looked: dict[str, int] = {"moments": 0, "sockets": 0, "packet": 0, "sender": 0, "client": 0}
    with open_trace(path) as trace:
        run = trace.find_run()
        oracle, play = Oracle(path, run.id), Play(Reader(trace, run), language("en"))
        for at_ns in oracle.moments(moments):
            state = play.state(play.line.at_time(at_ns))
            assert Stood(state.calls, state.received_bytes, state.sent_bytes) == oracle.whole(at_ns), at_ns
            assert state.fruitless == oracle.fruitless(at_ns), at_ns
            found = {socket.id: Stood(socket.calls, socket.received_bytes, socket.sent_bytes) for socket in state.open_sockets}
            assert found == oracle.opened(at_ns), at_ns
            if at_ns < oracle.end_ns:
                steps = {play.line.ids[place] for place in state.in_progress}
                assert {id_ for id_ in steps if id_ > 0} == oracle.in_progress(at_ns), at_ns
            looked["moments"] += 1
            looked["sockets"] += len(found)
            for socket in state.open_sockets:
                if socket.queued_by is not None:
                    looked[socket.queued_by] += 1
                if socket.queued_by == "packet" and socket.role in ("accepted", "connected"):
                    assert socket.queued_bytes == oracle.queued_by_packets(socket.id, at_ns), (at_ns, socket)
    return looked


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_of_every_server_is_played_as_sql_says(name: str) -> None:
    with resources.as_file(resources.files("sockreel.traces") / "samples" / name) as path:
        looked = assert_agrees(path, 12)
    assert looked["moments"] > 10 and looked["sockets"] > 10
    assert looked["packet"] > 0 or name == "tutorial.db"  # its connections are open for moments only


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a key and a certificate for localhost."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl here")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   cwd=folder, check=True, capture_output=True)
    return folder


def record(out: Path, *words: str | Path) -> Path:
    """Record a program of the recorder's tests."""
    subprocess.run([sys.executable, "-m", "sockreel", "record", "--quiet", "-o", out, *words], check=True, capture_output=True, timeout=60)
    return out


@pytest.mark.parametrize(("name", "options"), [
    ("socketserver_forking", []), ("socketserver_unix", []), ("socketserver_udp", []), ("thread_pool", ["--kernel-times"]),
    ("edge_oneshot", ["--fold"]), ("asyncio_datagram", []), ("sigio", ["--core", "python"]),
])
def test_a_server_recorded_here_and_now_is_played_as_sql_says(tmp_path: Path, name: str, options: list[str]) -> None:
    looked = assert_agrees(record(tmp_path / "t.db", *options, PROGRAMS / "real_servers.py", name), 40)
    assert looked["moments"] > 10
    assert looked["sender"] > 0 or name in ("socketserver_forking", "socketserver_udp", "asyncio_datagram")


def test_tls_is_played_as_sql_says(tmp_path: Path, certificate: Path) -> None:
    looked = assert_agrees(record(tmp_path / "t.db", PROGRAMS / "tls_cases.py", certificate), 30)
    assert looked["moments"] > 25 and looked["sockets"] > 50
