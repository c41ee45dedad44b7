"""Programs that put something else in the place of what everybody uses: it is theirs, and never comes to us."""

from __future__ import annotations

import pytest

from .playing import interpreter
from .recording import Recorder, bare

BROKEN = """
    import builtins, os, select, socket
    write, patch = print, setattr
    names = [name for name in dir(builtins) if callable(getattr(builtins, name)) and name[0] != "_"]
    kept = {"BaseException", "Exception", "BlockingIOError", "RuntimeError"}  # what this program itself names meanwhile
    whole = {name: getattr(builtins, name) for name in names if name not in kept}

    def broken(*args, **kw):
        raise RuntimeError("a builtin that the program broke")

    for _ in range(2):
        a, b = socket.socketpair()
        a.setblocking(False)
        epoll, into, got = select.epoll(), bytearray(10), []
        put = got.append
        for name in whole:
            patch(builtins, name, broken)
        try:
            a.recv(10)
        except BlockingIOError:
            put("would block")
        b.send(b"one"); put(a.recv(10))
        b.sendall(b"two"); put(a.recv_into(into))
        epoll.register(a, 1); put(epoll.poll(0))
        put(select.select([a], [], [], 0))
        b.sendmsg([b"th", b"ree"]); put(a.recvmsg(10))
        os.write(b.fileno(), b"four"); put(os.read(a.fileno(), 100))
        a.settimeout(5)
        b.close()
        put(a.recv(10))
        a.close()
        epoll.close()
        for name, value in whole.items():
            patch(builtins, name, value)
        write(got)
    write(len(whole))
"""
EACH_TIME = [
    ("setblocking", "ok"), ("recv", "would_block"), ("send", "ok"), ("recv", "ok"), ("sendall", "ok"), ("recv_into", "ok"),
    ("register", "ok"), ("epoll_wait", "timeout"), ("select", "timeout"), ("sendmsg", "ok"), ("recvmsg", "ok"), ("write", "ok"),
    ("read", "ok"), ("settimeout", "ok"), ("close", "ok"), ("recv", "eof"), ("close", "ok"), ("close", "ok"),
]  # fmt: skip
EVERYBODYS = """
    import os, socket, struct, sys, threading, time
    names = {
        os: ["open", "close", "read", "write", "stat", "fstat", "link", "unlink", "rename", "getpid", "getppid", "getcwd", "get_blocking",
             "posix_fallocate", "fchmod", "mkdir", "listdir"],
        time: ["time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "clock_gettime"],
        threading: ["get_ident", "get_native_id", "local", "Lock", "current_thread"],
        socket: ["socket", "socketpair", "create_server"],
        struct: ["Struct", "pack", "unpack", "pack_into"],
    }
    kept = dict(sys.modules)

    def fake(*args, **kw):
        raise RuntimeError("never to be called by us")

    a, b = socket.socketpair()
    fakes = {id(getattr(module, name)) for module, all in names.items() for name in all}
    places = [(module, name, value) for module in kept.values() for name, value in list(vars(module).items())
              if id(value) in fakes and module is not sys.modules["__main__"]]
    for module, name, value in places:
        setattr(module, name, fake)
    for n in range(10_000):
        a.send(b"x")
        b.recv(1)
    for module, name, value in places:
        setattr(module, name, value)
    a.send(b"y")
    print(b.recv(1), len(places) > 30)
"""
MOCKED = """
    import _thread, os, socket, struct, threading, time
    from unittest import mock
    a, b = socket.socketpair()
    with mock.patch("time.monotonic_ns", return_value=7), mock.patch("threading.get_ident"), mock.patch("os.getpid", return_value=1), \\
         mock.patch("socket.socket"), mock.patch("struct.Struct"), mock.patch("builtins.print"), mock.patch("builtins.open"):
        def other():
            a.send(b"x")
            b.recv(1)
            done.release()
        done = _thread.allocate_lock()
        done.acquire()
        for _ in range(3):
            _thread.start_new_thread(other, ())
            done.acquire()
    print(a.send(b"y"), b.recv(1))
"""


@pytest.mark.parametrize("core", ["c", "python"])
def test_builtins_that_the_program_broke_are_broken_for_nobody_else(record: Recorder, core: str) -> None:
    script = record.script(BROKEN)
    plain, done = bare(script), record(script, options=["--core", core])
    assert (plain.returncode, plain.stderr) == (0, "")
    assert (done.status, done.out) == (0, plain.stdout), done
    assert int(done.out.splitlines()[-1]) > 120
    assert done.outcomes() == EACH_TIME * 2
    assert (done.run["calls_lost"], done.blind_spots) == (0, [])


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_so_they_are_under_every_python(record: Recorder, version: str) -> None:
    done = record(record.script(BROKEN), python=interpreter(version))
    assert done.status == 0 and done.outcomes() == EACH_TIME * 2, done
    assert (done.run["calls_lost"], done.blind_spots) == (0, [])


@pytest.mark.parametrize("core", ["c", "python"])
def test_what_is_replaced_in_every_module_there_is_stays_as_it_was_in_ours(record: Recorder, core: str) -> None:
    """freezegun goes so through all modules for functions of `time`, pyfakefs for those of `os`."""
    done = record(record.script(EVERYBODYS), options=["--core", core, "--payload", "0"])
    assert (done.status, done.out) == (0, "b'y' True\n"), done
    assert len(done.calls(outcome="ok")) == 20_002 and (done.run["calls_lost"], done.blind_spots) == (0, [])
    duration_ns = done.run["duration_ns"]
    assert all(0 < call["started_ns"] < duration_ns for call in done.calls())


@pytest.mark.parametrize("core", ["c", "python"])
def test_mocks_of_what_a_recorder_needs_are_the_programs_alone(record: Recorder, core: str) -> None:
    done = record(record.script(MOCKED), options=["--core", core])
    assert (done.status, done.out) == (0, "1 b'y'\n"), done
    assert done.outcomes() == [("send", "ok"), ("recv", "ok")] * 4
    assert (done.run["calls_lost"], done.blind_spots) == (0, [])
    assert len({call["thread_id"] for call in done.calls()}) == 4
