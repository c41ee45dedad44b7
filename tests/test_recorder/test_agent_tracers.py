"""A program that watches itself, by a tracer, coverage or a profiler, finds its own files, and none of ours."""

from __future__ import annotations

import json

import pytest

from .playing import interpreter
from .recording import Recorder, bare

COUNTED = """
    import json, os, select, signal, socket, sys

    files = set()

    def trace(frame, event, arg):
        files.add(frame.f_code.co_filename)
        return trace

    def profile(frame, event, arg):
        files.add(frame.f_code.co_filename)

    def handler(number, frame):
        files.add(frame.f_code.co_filename)

    class Watched:
        def __init__(self, watched):
            self.watched = watched

        def fileno(self):
            return self.watched.fileno()

    def work():
        one, other = socket.socketpair()
        one.send(b"x")
        select.select([Watched(other)], [], [], 1)
        os.read(other.fileno(), 1)
        poller = select.epoll()
        poller.register(Watched(other), select.EPOLLIN)
        poller.poll(0)
        poller.close()
        os.kill(os.getpid(), signal.SIGUSR1)
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname())
        served, _ = listener.accept()
        served.setblocking(False)
        try:
            served.recv(1)
        except BlockingIOError:
            pass
        for each in (one, other, listener, client, served):
            each.close()

    signal.signal(signal.SIGUSR1, handler)
    sys.settrace(trace)
    work()
    sys.settrace(None)
    sys.setprofile(profile)
    work()
    sys.setprofile(None)
    print(json.dumps(sorted(name for name in files if not (name.startswith("<") and name.endswith(">")))))
"""


@pytest.mark.parametrize("core", ["c", "python"])
def test_a_tool_that_counts_the_files_that_ran_finds_the_same_ones(record: Recorder, core: str) -> None:
    program = record.script(COUNTED)
    done = record(program, options=["--core", core])
    plain = bare(interpreter("this"), program, cwd=record.folder)
    assert done.status == 0 == plain.returncode, (done, plain)
    assert str(program) in json.loads(done.out)
    assert json.loads(done.out) == json.loads(plain.stdout)
    assert [row["operation"] for row in done.calls()].count("accept") == 2
