"""What a run cannot see is named, with numbers where there are any; what it sees is not called unseen."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .recording import Recorder, Running, bare, until

PROGRAMS = Path(__file__).parent / "programs"
HONEST = [line.split()[1].partition("(")[0] for line in (PROGRAMS / "honest.py").read_text().splitlines() if line.startswith("def ")]
HONEST = [name for name in HONEST if name not in ("connected", "drain", "looked_at", "sockets_never_used")]

# A server that lets the C library move part of what goes over each of its three connections.
BEHIND_OUR_BACK = """
import ctypes, socket, threading
libc = ctypes.CDLL(None)
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    for _ in range(3):
        conn, _ = listener.accept()
        conn.recv(10)
        assert libc.recv(conn.fileno(), ctypes.create_string_buffer(5000), 1000, 0x100) == 1000  # MSG_WAITALL
        assert libc.send(conn.fileno(), b"x" * 3000, 3000, 0) == 3000
        conn.sendall(b"y" * 10)
        conn.close()
thread = threading.Thread(target=serve)
thread.start()
for _ in range(3):
    with socket.create_connection(listener.getsockname()) as client:
        client.sendall(b"a" * 1010)
        while client.recv(10000):
            pass
thread.join()
"""


def an_extension() -> Path:
    """Return the file of an extension module of the standard library, which any other name fits as well."""
    found = sorted((Path(os.__file__).parent / "lib-dynload").glob("_bisect.*.so"))
    if not found:
        pytest.skip("this Python has no extension modules in files of their own")
    return found[0]


def needs(module: str) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def spots(running: Running) -> list[str]:
    return [spot for row in running.rows("SELECT blind_spots FROM runs") for spot in json.loads(row["blind_spots"])]


def test_bytes_that_moved_without_a_recorded_call_are_counted_to_the_byte(record: Recorder) -> None:
    done = record(record.script(BEHIND_OUR_BACK))
    (spot,) = done.blind_spots
    assert "3 TCP connections moved 12,000 bytes in calls that were not recorded" in spot and ": 4,000" in spot


@pytest.mark.parametrize("program", HONEST)
def test_a_program_that_hides_nothing_has_no_blind_spot(record: Recorder, program: str) -> None:
    done = record(PROGRAMS / "honest.py", program)
    assert done.status == 0, done
    assert done.calls() and done.blind_spots == []


def test_sockets_that_were_never_used_are_nothing_to_be_named(record: Recorder) -> None:
    with record.running(PROGRAMS / "honest.py", "sockets_never_used") as running:
        # Its child has come and gone, and the recorder has had four seconds' worth of looks since.
        until(lambda: running.rows("SELECT 1 FROM clocks LIMIT 1 OFFSET 3"), "the fourth clock")
        assert spots(running) == []
        assert running.process.stdin is not None
        running.process.stdin.close()
        running.process.stdin = None
        assert running.ended().blind_spots == []


def test_a_socket_that_the_c_library_opened_is_named_while_the_program_runs(record: Recorder) -> None:
    program = record.script("""
        import ctypes, socket, struct, sys
        libc = ctypes.CDLL(None)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        fd = libc.socket(2, 1, 0)
        libc.connect(fd, struct.pack("=H", 2) + struct.pack(">H", port) + bytes([127, 0, 0, 1]) + bytes(8), 16)
        print(port, flush=True)
        sys.stdin.read()
    """)
    with record.running(program) as running:
        port = running.line()
        (spot,) = until(lambda: spots(running), "a blind spot")
        assert "a socket was opened outside of Python's socket module" in spot and f"to 127.0.0.1:{port}" in spot
        assert running.process.stdin is not None
        running.process.stdin.close()
        running.process.stdin = None
        assert running.ended().blind_spots == [spot]


def test_a_known_extension_is_named_even_if_the_program_dies_at_once(record: Recorder) -> None:
    (record.folder / "zmq" / "backend").mkdir(parents=True)
    shutil.copy(an_extension(), record.folder / "zmq" / "backend" / an_extension().name)
    done = record(record.script("""
        import os, signal
        import zmq.backend._bisect
        os.kill(os.getpid(), signal.SIGKILL)
    """))
    (spot,) = done.blind_spots
    assert spot.startswith("ZeroMQ was loaded, ") and "not in this trace" in spot


def test_a_parser_in_c_is_no_blind_spot(record: Recorder) -> None:
    (record.folder / "hiredis").mkdir()
    shutil.copy(an_extension(), record.folder / "hiredis" / an_extension().name)
    done = record(record.script("import hiredis._bisect\nprint(hiredis._bisect.__name__)"))
    assert done.out == "hiredis._bisect\n" and done.blind_spots == []


def test_a_known_library_that_ctypes_opened_is_named(record: Recorder) -> None:
    shutil.copy(an_extension(), record.folder / "libpq-5a1b.so.5.17")
    program = record.script("import ctypes, socket, sys\nctypes.CDLL('./libpq-5a1b.so.5.17')\nprint('here', flush=True)\nsys.stdin.read()")
    with record.running(program) as running:
        assert running.line() == "here"
        (spot,) = until(lambda: spots(running), "a blind spot")
        assert spot.startswith("libpq was loaded, PostgreSQL's client in C: ")
        running.process.kill()


def test_loading_an_extension_looks_as_it_does_without_us(record: Recorder) -> None:
    program = record.script("""
        import _imp, importlib.util, sys
        print(repr(_imp.exec_dynamic), _imp.exec_dynamic.__text_signature__)
        try:
            _imp.exec_dynamic()
        except TypeError as error:
            print(error)
        open(__file__ + ".so", "w").write("no library")
        try:
            spec = importlib.util.spec_from_file_location("broken", __file__ + ".so")
            importlib.util.module_from_spec(spec)
        except ImportError as error:
            print(type(error), error.name)
        print([getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path][-3:])
    """)
    assert record(program).out == bare(program).stdout


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the module has another name from Python 3.14 on")
def test_a_sub_interpreter_is_named_and_leaves_the_main_one_recorded(record: Recorder) -> None:
    done = record(record.script("""
        import socket
        try:
            import _interpreters as interpreters
            run = interpreters.exec
        except ImportError:
            import _xxsubinterpreters as interpreters
            run = interpreters.run_string
        one, other = socket.socketpair()
        one.send(b"1")
        run(interpreters.create(), "import socket; a, b = socket.socketpair(); a.send(b'in the other one')")
        one.send(b"22")
    """))
    assert [call["result"] for call in done.calls(operation="send")] == [1, 2]
    assert done.blind_spots == ["code in a sub-interpreter is not recorded, only that of the main one"]


GREEN = """
import {module}
{patch}
import socket
def handle(conn):
    while data := conn.recv(100):
        conn.sendall(data.upper())
    conn.close()
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    conn, _ = listener.accept()
    {module}.spawn(handle, conn)
{module}.spawn(serve)
client = socket.create_connection(listener.getsockname())
client.sendall(b"hello")
print(client.recv(100))
client.close()
"""


@pytest.mark.parametrize("module, patch", [
    ("gevent", "from gevent import monkey; monkey.patch_all()"),
    ("eventlet", "import eventlet; eventlet.monkey_patch()"),
])  # fmt: skip
def test_green_sockets_are_recorded_at_the_line_of_the_program(record: Recorder, module: str, patch: str) -> None:
    needs(module)
    program = record.script(GREEN.format(module=module, patch=patch))
    done = record(program, env={"PYTHONWARNINGS": "ignore"})
    assert (done.status, done.out) == (0, "b'HELLO'\n"), done
    moved = [call for call in done.calls() if call["outcome"] == "ok" and call["operation"] in ("send", "recv")]
    assert [(call["operation"], call["result"]) for call in moved] == [("send", 5), ("recv", 5), ("send", 5), ("recv", 5)]
    assert {call["file"] for call in done.calls(operation="recv")} == {str(program)}
    assert [spot.partition(" ")[0] for spot in done.blind_spots] == (["gevent"] if module == "gevent" else [])


def test_what_uvloop_serves_is_named(record: Recorder) -> None:
    needs("uvloop")
    program = record.script("""
        import asyncio, sys, uvloop
        async def handle(reader, writer):
            writer.write(await reader.read(100))
        async def main():
            server = await asyncio.start_server(handle, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello")
            print(await reader.read(100), flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        uvloop.run(main())
    """)
    with record.running(program) as running:
        assert running.line() == "b'hello'"
        named = until(lambda: len(spots(running)) > 1 and spots(running), "both blind spots")
        assert any(spot.startswith("uvloop was loaded, an event loop in C") for spot in named)
        assert any("opened outside of Python's socket module" in spot for spot in named)
        running.process.kill()


def test_an_address_of_ipv4_on_a_socket_of_ipv6_is_written_as_people_know_it() -> None:
    from sockreel.recorder.draining.unseen import _address

    assert _address("0100007F:1F90") == "127.0.0.1:8080"
    assert _address("0000000000000000FFFF00000100007F:5A41") == "[::ffff:127.0.0.1]:23105"
    assert _address("00000000000000000000000001000000:1F90") == "[::1]:8080"
