"""A run lasts as long as a process of it that has not spoken yet, and no longer than any that never will."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from .recording import Recorder, until


def test_a_daemon_whose_parents_are_gone_before_its_first_call_is_recorded_to_its_end(record: Recorder) -> None:
    os.mkfifo(record.folder / "go on")
    with record.running(record.script("""
        import os, socket, sys
        print(os.getpid(), flush=True)
        if os.fork():
            os._exit(3)
        os.setsid()
        if os.fork():
            os._exit(0)
        os.closerange(0, 100)
        os.open("go on", os.O_RDONLY)  # waits until somebody writes
        a, b = socket.socketpair()
        a.send(b"at last")
    """)) as running:  # fmt: skip
        program = Path("/proc", running.line())
        until(lambda: not program.exists(), "the end of the program itself")
        with open(record.folder / "go on", "w"):
            done = running.ended()
    assert done.status == 3
    (send,) = done.calls(operation="send")
    assert send["payload"] == b"at last"
    assert [row["started_by"] for row in done.rows("SELECT * FROM processes WHERE recorded ORDER BY id")] == ["main", "fork"]


def test_a_python_that_was_just_started_is_waited_for(record: Recorder) -> None:
    done = record(record.script("""
        import os, subprocess, sys
        text = "import socket, os; a, b = socket.socketpair(); a.send(b'here'); print(os.getppid() > 0)"
        subprocess.Popen([sys.executable, "-c", text])
        os._exit(0)
    """))  # fmt: skip
    assert done.out == "True\n"
    assert [row["payload"] for row in done.calls(operation="send")] == [b"here"]
    assert done.blind_spots == []


def test_what_is_no_python_or_will_not_hear_us_is_not_waited_for(record: Recorder) -> None:
    done = record(record.script("""
        import os, subprocess, sys
        left = [subprocess.Popen(["sleep", "1000"], stdout=-3, stderr=-3),
                subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(1000)"], stdout=-3, stderr=-3)]
        print(*[child.pid for child in left], flush=True)
        os._exit(0)
    """))  # fmt: skip
    for pid in map(int, done.out.split()):
        assert os.path.exists(f"/proc/{pid}")
        os.kill(pid, signal.SIGKILL)


def test_a_daemon_that_never_makes_a_call_is_ended_with_its_run(record: Recorder) -> None:
    done = record(record.script("""
        import os, signal
        if os.fork():
            os._exit(0)
        print(os.getpid(), flush=True)
        signal.pause()
    """), options=["--for", "1"])  # fmt: skip
    assert done.run["ended_by"] == "for"
    status = Path(f"/proc/{int(done.out)}/stat")
    assert not status.exists() or status.read_bytes().rpartition(b") ")[2].startswith(b"Z")  # gone, but for whoever adopted it
