"""Programs that are hard on whoever is in their process: they run as without us, and what they do is recorded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .playing import interpreter
from .recording import Recorded, Recorder, bare

VERSIONS = ["3.8", "3.9", "3.10", "3.12", "3.13"]
ECHO = """
    import socket, sys
    try:
        import sockreel
    except ImportError:
        pass
    else:
        sys.exit("sockreel is installed here")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        conn, _ = server.accept()
        client.sendall(b"hello")
        conn.sendall(conn.recv(100).upper())
        print(client.recv(100).decode(), "%d.%d" % sys.version_info[:2], sys.prefix)
        conn.close()
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", ["--python", "command", "in its first line"])
def test_a_program_of_another_environment_is_recorded_without_sockreel_in_it(record: Recorder, version: str, how: str) -> None:
    place = record.folder / "their venv"
    subprocess.run([interpreter(version), "-m", "venv", "--without-pip", str(place)], check=True)
    python = place / "bin" / "python"
    script = record.script(ECHO)
    if how == "--python":
        done = record(script, python=str(python))
    elif how == "command":
        done = record("--", python, script)
    else:
        # A path with a space fits in no first line: as pip does, by way of the shell.
        started = record.script(f"#!/bin/sh\n'''exec' '{python}' \"$0\" \"$@\"\n' '''\n" + script.read_text(), "program")
        started.chmod(0o755)
        done = record("--", started)
    assert (done.status, done.out) == (0, f"HELLO {version} {place}\n"), done
    assert done.run["python"].startswith(version + ".")
    assert sorted(row["operation"] for row in done.calls(result=5)) == ["recv", "recv", "sendall", "sendall"]


def same(record: Recorder, text: str) -> Recorded:
    """Record a program that must behave as it does bare."""
    script = record.script(text)
    done, plain = record(script), bare(script, cwd=record.folder)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert (done.status, done.out) == (0, plain.stdout), done
    assert [line for line in done.err.splitlines() if not line.startswith("sockreel: ")] == []
    return done


def test_a_mock_in_place_of_a_method_is_called_and_gone_again(record: Recorder) -> None:
    done = same(record, """
        import socket
        from unittest import mock
        a, b = socket.socketpair()
        for way in ({}, {"autospec": True}, {"new": lambda self, *args: b"new"}, {"side_effect": BlockingIOError}):
            with mock.patch.object(socket.socket, "recv", **way) as recv:
                try:
                    print(way and a.recv(5) == b"new", type(a.recv).__name__ != "x")
                except BlockingIOError as error:
                    print(repr(error))
        with mock.patch("socket.socket") as kind:
            socket.socket().connect(("nowhere", 1))
            print(kind.return_value.connect.call_args)
        with mock.patch("select.select", return_value=([1], [], [])), mock.patch("os.read", return_value=b"mocked"):
            import os, select
            print(select.select([], [], []), os.read(0, 1))
        a.send(b"real")
        print(b.recv(10), select.select([b], [], [], 0), socket.socket.recv)
    """)  # fmt: skip
    assert [row["operation"] for row in done.calls()] == ["send", "recv", "select"]


def test_patches_and_subclasses_in_place_of_the_socket_class_do_as_they_did(record: Recorder) -> None:
    done = same(record, """
        import socket
        original, said = socket.socket.send, []
        def send(self, data, *args):
            said.append(len(data))
            return original(self, data, *args)
        socket.socket.send = send
        class Mine(socket.socket):
            def recv(self, *args):
                return super().recv(*args)[::-1]
            def close(self):
                said.append("closed")
                super().close()
        plain = socket.socket
        socket.socket = Mine
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
        conn, _ = server.accept()
        print(type(client).__name__, type(conn).__name__, isinstance(conn, plain))
        client.send(b"abc")
        print(conn.recv(10))
        for sock in (conn, client, server):
            sock.close()
        socket.socket, plain.send = plain, original
        a, b = socket.socketpair()
        a.send(b"x")
        print(b.recv(1), said, socket.socket.send is original)
    """)  # fmt: skip
    assert [(row["operation"], row["result"]) for row in done.calls() if row["operation"] in ("send", "recv")] == [
        ("send", 3), ("recv", 3), ("send", 1), ("recv", 1)]  # fmt: skip


def test_a_daemon_that_forks_twice_and_closes_all_it_can_is_recorded_to_its_end(record: Recorder) -> None:
    done = same(record, """
        import os, socket, sys
        reader, writer = os.pipe()
        if os.fork():
            os.close(writer)
            print(os.read(reader, 100).decode())
            sys.exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        os.chdir("/")
        os.umask(0)
        os.dup2(writer, 5)
        os.closerange(0, 5)
        os.closerange(6, 4096)
        for _ in range(3):
            os.open(os.devnull, os.O_RDWR)
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
            conn, _ = server.accept()
            client.sendall(b"from the daemon")
            data = conn.recv(100)
            fds = [server.fileno(), client.fileno(), conn.fileno()]
            conn.close()
        os.write(5, b"%s %r" % (data, fds))
    """)  # fmt: skip
    (recv,) = done.calls(operation="recv")
    assert recv["result"] == 15 and recv["outcome"] == "ok"
    assert {row["pid"] for row in done.calls(operation="accept")} == {recv["pid"]}


@pytest.mark.parametrize("name", ["dis", "selectors", "signal", "ssl", "threading", "functools", "weakref", "copyreg", "_weakrefset"])
def test_a_module_named_as_one_of_the_library_is_the_programs(record: Recorder, name: str, tmp_path: Path) -> None:
    record.script("WHOSE = 'the program'", f"app/{name}.py")
    script = record.script(f"""
        import sys
        print(getattr(sys.modules.get("{name}"), "WHOSE", "the library's, or none yet"))
        import {name}
        print(getattr({name}, "WHOSE", "the library"))
    """, "app/program.py")  # fmt: skip
    done, plain = record(script, whole=False), bare(script, cwd=tmp_path)
    assert (done.out, done.status) == (plain.stdout, plain.returncode), done
