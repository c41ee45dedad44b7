"""Sockets known by their descriptor only: `os.read`, `os.write`, `os.close`, `os.dup` and their like."""

from __future__ import annotations

from typing import Any

import pytest

from .playing import interpreter
from .recording import Recorded, Recorder, bare

MOVING = """
import os, socket, tempfile
a, b = socket.socketpair()
print(os.write(a.fileno(), b"hello"), os.read(b.fileno(), 10))
b.setblocking(False)
try:
    os.read(b.fileno(), 10)
except BlockingIOError as error:
    print(error)
b.settimeout(5)
try:
    os.read(b.fileno(), 11)
except BlockingIOError as error:
    print(error)
b.setblocking(True)
parts = [bytearray(3), bytearray(4)]
print(os.writev(a.fileno(), [b"ab", b"cdef"]), os.readv(b.fileno(), parts), parts)
with tempfile.TemporaryFile() as page:
    page.write(b"0123456789")
    page.flush()
    print(os.sendfile(a.fileno(), page.fileno(), 2, 5), os.sendfile(a.fileno(), page.fileno(), 10, 5))
    page.seek(0)
    print(os.read(page.fileno(), 4), os.readv(page.fileno(), [bytearray(1)]))
a.shutdown(socket.SHUT_WR)
print(os.read(b.fileno(), 20), os.read(b.fileno(), 20), os.read(b.fileno(), 0), os.readv(b.fileno(), [bytearray(1)]))
a.close()
try:
    os.write(b.fileno(), b"too late")
except BrokenPipeError as error:
    print(error)
"""
MOVED = [
    ("write", "ok", 5, 5, None, b"hello"),
    ("read", "ok", 10, 5, None, b"hello"),
    ("read", "would_block", 10, None, 0, None),
    ("read", "would_block", 11, None, 0, None),
    ("writev", "ok", 6, 6, None, b"abcdef"),
    ("readv", "ok", 7, 6, None, b"abcdef"),
    ("sendfile", "ok", 5, 5, None, None),
    ("sendfile", "ok", 5, 0, None, None),
    ("read", "ok", 20, 5, None, b"23456"),
    ("read", "eof", 20, 0, None, None),
    ("read", "ok", 0, 0, None, None),
    ("readv", "eof", 1, 0, None, None),
    ("write", "broken_pipe", 8, None, None, None),
]


def moves(recorded: Recorded) -> list[tuple[Any, ...]]:
    columns = ("operation", "outcome", "asked", "result", "timeout_ns", "payload")
    others = {"setblocking", "settimeout", "shutdown", "close"}
    return [tuple(row[name] for name in columns) for row in recorded.calls() if row["operation"] not in others]


def sockets(recorded: Recorded, **wanted: Any) -> list[dict[str, Any]]:
    rows = recorded.rows("SELECT s.*, p.pid FROM sockets s JOIN processes p ON p.id = s.process_id ORDER BY s.id")
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


@pytest.mark.parametrize("core", ["c", "python"])
def test_what_moves_through_a_bare_descriptor_is_recorded_as_through_a_socket(record: Recorder, core: str) -> None:
    script = record.script(MOVING)
    done = record(script, options=["--core", core])
    assert done.status == 0 and done.out == bare(script).stdout != ""
    assert moves(done) == MOVED
    assert {row["role"] for row in sockets(done)} == {"pair"} and len(sockets(done)) == 2
    assert done.blind_spots == [] and done.run["calls_lost"] == 0
    layers = done.rows("SELECT DISTINCT o.layer FROM calls c JOIN operations o ON o.id = c.operation_id WHERE o.name IN ('read', 'writev')")
    assert layers == [{"layer": "file"}]


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_every_python_records_them_alike(record: Recorder, version: str) -> None:
    done = record(record.script(MOVING), python=interpreter(version))
    assert done.status == 0 and moves(done) == MOVED, done


def test_every_call_has_its_line_and_a_wait_for_it_its_time(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket, threading
        a, b = socket.socketpair()
        reader = threading.Thread(target=lambda: os.read(b.fileno(), 1), name="reader")
        reader.start()
        os.write(a.fileno(), b"x")
        reader.join()
    """))  # fmt: skip
    (write,) = done.calls(operation="write")
    (read,) = done.calls(operation="read")
    assert (write["code"], write["timeout_ns"]) == ('os.write(a.fileno(), b"x")', None)
    assert read["code"].startswith("reader =") and read["thread_id"] != write["thread_id"]
    assert read["started_ns"] + read["duration_ns"] > write["started_ns"]


def test_what_is_spliced_goes_through_the_socket_that_is_one_of_its_ends(record: Recorder) -> None:
    python = interpreter("3.12")  # os.splice is there from 3.10 on
    done = record(record.script("""
        import os, socket
        a, b = socket.socketpair()
        end, begin = os.pipe()
        a.send(b"from a socket into a pipe")
        assert os.splice(b.fileno(), begin, 100) == 25
        assert os.splice(end, b.fileno(), 4) == 4
        assert os.splice(src=end, dst=b.fileno(), count=5) == 5
        assert a.recv(100) == b"from a so"
        a.close()
        assert os.splice(b.fileno(), begin, 100) == 0
    """), python=python)  # fmt: skip
    assert done.status == 0, done
    rows = [(row["outcome"], row["asked"], row["result"]) for row in done.calls(operation="splice")]
    assert rows == [("ok", 100, 25), ("ok", 4, 4), ("ok", 5, 5), ("eof", 100, 0)]
    assert len({row["socket_id"] for row in done.calls(operation="splice")}) == 1


def test_files_pipes_and_wrong_arguments_are_left_alone(record: Recorder) -> None:
    script = record.script("""
        import os, socket, sys
        end, begin = os.pipe()
        print(os.write(begin, b"pipe"), os.read(end, 10), os.writev(begin, [b"x"]), os.readv(end, [bytearray(1)]))
        a, b = socket.socketpair()
        wrong = [
            (os.read,), (os.read, 1), (os.read, a.fileno(), "x"), (os.read, [], 1), (os.read, a, 1), (os.read, 999, 1), (os.read, -1, 1),
            (os.read, 2**70, 1), (os.read, 1.0, 1), (os.read, None, 1), (os.write, a.fileno(), "text"), (os.write, a.fileno()),
            (os.write, 999, b""), (os.writev, a.fileno(), b"x"), (os.writev, a.fileno(), 5), (os.readv, a.fileno(), [b"fixed"]),
            (os.close,), (os.close, a), (os.close, 1, 2), (os.close, 999), (os.close, "1"), (os.closerange, 5), (os.closerange, "a", "b"),
            (os.dup, 999),
            (os.dup, a), (os.dup2, 999, 998), (os.dup2, a.fileno()), (os.sendfile, a.fileno()), (os.sendfile, a.fileno(), 999, 0, 1),
            (socket.close, 999), (socket.dup, "x"),
        ]
        for function, *args in wrong:
            try:
                print(function.__name__, function(*args))
            except Exception as error:
                print(function.__name__, type(error).__name__, error, error.__context__)
        os.close(end)
        os.close(fd=begin)
        b.send(b"still there")
        print(os.read(a.fileno(), 20))
    """)  # fmt: skip
    done = record(script)
    assert done.out == bare(script).stdout and done.out.count("\n") > 30 and "still there" in done.out
    assert {row["kind"] for row in sockets(done)} == {"unix"}
    assert done.blind_spots == [] and done.run["calls_lost"] == 0


def test_os_close_closes_the_socket(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        first = socket.socket()
        first.bind(("127.0.0.1", 0))
        fd = first.fileno()
        os.close(fd)
        with open("/dev/null", "rb") as file:  # takes the number
            assert file.fileno() == fd
            os.read(fd, 10)
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        assert second.fileno() == fd
        second.bind(("127.0.0.1", 0))
        socket.close(fd)
        a, b = socket.socketpair()
        a.send(b"1"); b.recv(1)
        os.closerange(min(a.fileno(), b.fileno()), max(a.fileno(), b.fileno()) + 1)
        first.detach(); second.detach(); a.detach(); b.detach()
    """))  # fmt: skip
    assert done.status == 0, done
    tcp, udp, *pair = sockets(done)
    assert [row["closed_by"] for row in (tcp, udp, *pair)] == ["close"] * 4
    assert [(row["socket_id"], row["outcome"]) for row in done.calls(operation="close")] == [(tcp["id"], "ok"), (udp["id"], "ok")]
    assert done.calls(operation="read") == []


def test_a_number_that_a_file_takes_over_is_not_taken_for_the_socket(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket, _socket
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        fd = sock.fileno()
        _socket.socket(fileno=os.dup(fd)).close()
        with open(fd, "rb", buffering=0):  # closes the socket in C, unseen
            pass
        with open(__file__, "rb") as file:
            assert file.fileno() == fd
            assert os.read(fd, 3)
        again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # the number is a socket's again
        assert again.fileno() == fd
        again.connect(sock_name := ("127.0.0.1", 9))
        assert os.write(fd, b"x") == 1
        sock.detach()
    """))  # fmt: skip
    assert done.status == 0, done
    assert done.calls(operation="read") == []
    (write,) = done.calls(operation="write")
    numbered = [row for row in sockets(done) if row["fd"] == sockets(done)[0]["fd"]]
    assert [row["closed_by"] for row in numbered] == ["replaced", "exit"] and write["socket_id"] == numbered[1]["id"]


def test_copies_of_a_descriptor_name_what_they_copy(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        a, b = socket.socketpair()
        a.send(b"1")
        one = os.dup(a.fileno())
        two = os.dup(one)
        os.dup2(two, 77)
        os.dup2(b.fileno(), 77)  # lets go of what was there
        os.dup2(77, 77)
        other = socket.fromfd(a.fileno(), socket.AF_UNIX, socket.SOCK_STREAM)
        os.write(one, b"2"); os.write(two, b"3"); other.send(b"4")
        assert os.read(77, 10) == b"1234"
        os.dup2(os.open("/dev/null", os.O_RDONLY), two)
        assert os.read(two, 10) == b""
        os.close(one); os.close(77); other.close()
    """))  # fmt: skip
    assert done.status == 0, done
    a, b, one, two, first77, second77, other = sockets(done)
    assert [row["origin"] for row in (a, one, two, first77, b, second77, other)] == [
        "created", "duplicated", "duplicated", "duplicated", "created", "duplicated", "duplicated"]  # fmt: skip
    assert [row["origin_id"] for row in (one, two, first77, second77, other)] == [a["id"], one["id"], two["id"], b["id"], a["id"]]
    assert [row["closed_by"] for row in (a, one, two, first77, b, second77, other)] == [
        "exit", "close", "replaced", "replaced", "exit", "close", "close"]  # fmt: skip
    assert {row["role"] for row in sockets(done)} == {"pair"}


def test_a_file_object_on_a_socket_is_named_as_what_is_not_seen(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        a, b = socket.socketpair()
        a.send(b"a line\\n")
        with os.fdopen(os.dup(b.fileno()), "rb") as lines, os.fdopen(os.open("/dev/null", os.O_RDONLY)) as file:
            print(lines.readline(), file.read())
    """))  # fmt: skip
    assert done.out == "b'a line\\n' \n"
    (spot,) = done.blind_spots
    assert "os.fdopen" in spot


def test_functions_of_os_answer_as_they_did(record: Recorder) -> None:
    script = record.script("""
        import copy, inspect, os, pickle, posix, socket, weakref
        from unittest import mock
        names = ["read", "write", "readv", "writev", "sendfile", "splice", "close", "closerange", "dup", "dup2", "execve", "fdopen",
                 "setuid", "setresuid", "chroot"]
        functions = [getattr(os, name) for name in names if hasattr(os, name)] + [socket.dup, socket.close]
        class Holder:
            close = os.close
            read = os.read
        for function in functions:
            print(repr(function).split(" at ")[0], function.__name__, function.__qualname__, function.__module__, function.__doc__)
            for kind in ("isbuiltin", "isfunction", "isroutine", "ismethod", "ismethoddescriptor", "isdatadescriptor"):
                print(kind, getattr(inspect, kind)(function))
            print(inspect.signature(function) if function.__text_signature__ else None) if hasattr(function, "__text_signature__") else 0
            print(pickle.dumps(function), pickle.loads(pickle.dumps(function)) is function, copy.deepcopy(function) is function)
            print(function == getattr(posix, function.__name__, None), function is getattr(posix, function.__name__, None))
            print(weakref.ref(function)() is function, {function: 1}[function], hash(function) == hash(function))
            print(isinstance(function, type(len)), mock.create_autospec(function) is not None)
        print(os.execve in os.supports_fd, Holder().read is os.read, Holder.close is os.close)
        end, begin = os.pipe()
        os.write(begin, b"bound to nothing")
        print(Holder().read(end, 5))
    """)  # fmt: skip
    for version, core in (("this", "c"), ("this", "python"), ("3.8", "python"), ("3.13", "python")):
        python = interpreter(version)
        done = record(script, python=python, options=["--core", core])
        assert done.status == 0 and done.out.count("\n") > 100, done
        assert done.out == bare(python, script).stdout


@pytest.mark.parametrize("core", ["c", "python"])
def test_a_descriptor_is_looked_at_anew_when_its_number_means_something_new(record: Recorder, core: str) -> None:
    done = record(record.script("""
        import os, socket
        def file():
            fd = os.open("/dev/zero", os.O_RDONLY)
            assert os.read(fd, 1) == os.read(fd, 1) == b"\\0"
            return fd
        ways = [os.close, lambda fd: os.closerange(fd, fd + 1), lambda fd: open(fd, "rb", buffering=0).close(), socket.close,
                lambda fd: os.close(fd=fd)]
        for n, close in enumerate(ways):
            fd = file()
            close(fd)
            a, b = socket.socketpair()
            assert a.fileno() == fd
            assert os.write(fd, b"x" * (n + 1)) == n + 1
            a.close(); b.close()
        fd = file()
        a, b = socket.socketpair()
        os.dup2(a.fileno(), fd)
        os.write(fd, b"through the copy")
        os.close(fd)
        os.write(a.fileno(), b"!")
        os.dup2(file(), a.fileno())
        assert os.read(a.fileno(), 1) == b"\\0"
        for high in (70_000, 65_535, 65_536):
            try:
                os.dup2(b.fileno(), high)
            except OSError:
                continue
            assert os.read(high, 5)
            os.close(high)
    """), options=["--core", core])  # fmt: skip
    assert done.status == 0, done
    assert [row["result"] for row in done.calls(operation="write")] == [1, 2, 3, 4, 5, 16, 1]
    assert done.run["calls_lost"] == 0 and done.blind_spots == []
    assert {row["outcome"] for row in done.calls(operation="read")} <= {"ok"}


def test_a_forked_child_knows_nothing_of_its_parents_files(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        fd = os.open("/dev/zero", os.O_RDONLY)
        os.read(fd, 1)
        a, b = socket.socketpair()
        if not os.fork():
            os.dup2(a.fileno(), fd)
            os.write(fd, b"child")
            os._exit(0)
        os.wait()
        assert os.read(fd, 1) == b"\\0"
        assert os.read(b.fileno(), 10) == b"child"
    """))  # fmt: skip
    assert done.status == 0, done
    assert [(row["operation"], row["result"]) for row in done.calls() if row["operation"] in ("read", "write")] in (
        [("write", 5), ("read", 5)], [("read", 5), ("write", 5)])  # fmt: skip
