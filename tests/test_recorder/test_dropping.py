"""Servers that start as root and give that up: their tapes go with them."""

from __future__ import annotations

import os

import pytest

from .recording import Recorder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
CALLS = 20_000  # more than one segment of the tape


@pytest.mark.parametrize("core", ["c", "python"])
@pytest.mark.parametrize("drop", ["os.setuid(65534)", "os.setresuid(65534, 65534, 65534)", "os.setreuid(-1, 65534)", "os.seteuid(65534)"])
def test_a_server_that_becomes_nobody_is_recorded_to_its_end_with_its_workers(record: Recorder, core: str, drop: str) -> None:
    done = record(record.script(f"""
        import os, socket
        a, b = socket.socketpair()
        {drop}
        for _ in range({CALLS // 2}):
            a.send(b"x")
            b.recv(1)
        child = os.fork()
        if not child:
            a.send(b"from a worker")
            os._exit(0)
        os.waitpid(child, 0)
        print(os.geteuid(), b.recv(100))
    """), options=["--core", core])  # fmt: skip
    assert done.out == "65534 b'from a worker'\n"
    assert done.run["calls_lost"] == 0 and done.blind_spots == []
    assert len(done.calls(operation="recv")) == CALLS // 2 + 1
    assert [row["started_by"] for row in done.rows("SELECT * FROM processes WHERE recorded ORDER BY id")] == ["main", "fork"]


def test_a_root_that_stays_root_while_its_worker_becomes_nobody_goes_on_too(record: Recorder) -> None:
    done = record(record.script(f"""
        import os, socket
        a, b = socket.socketpair()
        child = os.fork()
        if not child:
            os.setuid(65534)
        for _ in range({CALLS // 4}):
            a.send(b"x", socket.MSG_DONTWAIT)
            b.recv(1)
        if not child:
            os._exit(0)
        print(os.waitpid(child, 0)[1], os.getuid())
    """))  # fmt: skip
    assert done.out == "0 0\n" and done.run["calls_lost"] == 0
    assert done.run["calls_recorded"] == CALLS


@pytest.mark.parametrize(("calls", "lost"), [(CALLS, False), (150_000, True)])
def test_in_another_root_directory_a_program_goes_on_until_its_tape_is_full(record: Recorder, calls: int, lost: bool) -> None:
    (record.folder / "jail").mkdir()
    done = record(record.script(f"""
        import os, socket
        a, b = socket.socketpair()
        os.chroot("jail")
        for _ in range({calls // 2}):
            a.send(b"x")
            b.recv(1)
        print(os.listdir("/"))
    """), whole=not lost)  # fmt: skip
    assert done.out == "[]\n"
    (spot,) = done.blind_spots
    assert "changed its root directory" in spot
    assert (done.run["calls_lost"] > 0) == lost and done.run["calls_recorded"] + done.run["calls_lost"] == calls
    assert done.run["calls_recorded"] >= min(calls, 130_000)


def test_a_root_directory_that_is_the_same_is_no_blind_spot(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        os.chroot("/")
        a, b = socket.socketpair()
        a.send(b"x")
    """))  # fmt: skip
    assert done.blind_spots == [] and done.run["calls_recorded"] == 1
