"""A program that watches itself, by a tracer, coverage or a profiler, finds its own files, and none of ours."""

from __future__ import annotations

import json

import pytest

from .playing import interpreter
from .recording import Recorder, bare

COUNTED = """
    import json, os, select, signal, socket, sys

    seen = set()

    def trace(frame, event, arg):
        seen.add((frame.f_code.co_filename, frame.f_code.co_name))
        return trace

    def profile(frame, event, arg):
        seen.add((frame.f_code.co_filename, frame.f_code.co_name))

    def handler(number, frame):
        seen.add((frame.f_code.co_filename, frame.f_code.co_name))

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
    print(json.dumps(sorted(seen)))
"""


def files(printed: str) -> set[str]:
    """The files that ran; what has no file bears a name in angle brackets."""
    return {file for file, _ in json.loads(printed) if not (file.startswith("<") and file.endswith(">"))}


@pytest.mark.parametrize("core", ["c", "python"])
def test_a_tool_that_counts_the_files_that_ran_finds_the_same_ones(record: Recorder, core: str) -> None:
    program = record.script(COUNTED)
    done = record(program, options=["--core", core])
    plain = bare(interpreter("this"), program, cwd=record.folder)
    assert done.status == 0 == plain.returncode, (done, plain)
    assert str(program) in files(done.out)
    assert files(done.out) == files(plain.stdout)
    assert [row["operation"] for row in done.calls()].count("accept") == 2


# What a connection takes; a wait for objects with a `fileno` of the program's own calls that from Python of ours, which stays seen.
UNSEEN = {"identify", "_identify", "pair", "refresh", "address_text", "_bound", "_listening", "_connected", "leave_fd", "move"}


def test_with_the_c_core_tracers_and_profilers_do_not_see_what_a_connection_takes(record: Recorder) -> None:
    done = record(record.script(COUNTED), options=["--core", "c"])
    seen = [(file, name) for file, name in json.loads(done.out)]
    ours = {name for file, name in seen if file.startswith("<sockreel agent: ")}
    assert "socketpair" in ours  # ours can be told, so that the absence of others means something
    assert not ours & UNSEEN
    assert {name for _, name in seen} >= {"work", "handler", "fileno"}


HANDLER_INSIDE = """
    import os, signal, socket, sys, threading

    lines = []

    def trace(frame, event, arg):
        if frame.f_code.co_name in ("handler", "after"):
            lines.append((frame.f_code.co_name, event))
        return trace

    def handler(number, frame):
        seen = number
        os.write(other.fileno(), b"x")

    def after():
        return 1

    one, other = socket.socketpair()
    signal.signal(signal.SIGALRM, handler)
    sys.settrace(trace)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    print(os.read(one.fileno(), 1))  # in C, in a hook that no tracer sees, until the handler has written
    after()
    sys.settrace(None)
    print(lines)
"""


@pytest.mark.parametrize("core", ["c", "python"])
def test_a_handler_that_comes_in_the_middle_of_a_hook_is_traced_as_ever(record: Recorder, core: str) -> None:
    program = record.script(HANDLER_INSIDE)
    done = record(program, options=["--core", core])
    plain = bare(interpreter("this"), program, cwd=record.folder)
    assert done.out == plain.stdout and done.out.count("handler") == 4, (done, plain)
