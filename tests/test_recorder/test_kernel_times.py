"""--kernel-times: when what a receive returned had arrived, and a program that sees nothing of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from .playing import interpreter
from .recording import PROGRAMS, Recorded, Recorder, bare

ARRIVING = PROGRAMS / "arriving.py"
MS = 1_000_000
CORES = ["c", "python"]


def on(core: str) -> list[str]:
    return ["--kernel-times", "--core", core]


def phases(recorded: Recorded) -> list[dict[str, Any]]:
    return recorded.rows("SELECT * FROM phases ORDER BY call_id")


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what two runs of the program said differently, entry by entry."""
    found: list[tuple[str, Any, Any]] = []
    for name, value in one.items():
        if isinstance(value, list) and len(value) == len(other[name]):
            pairs = enumerate(zip(value, other[name], strict=True))
            found += [(f"{name} {at}", left, right) for at, (left, right) in pairs if left != right]
        elif value != other[name]:
            found.append((name, value, other[name]))
    return found


@pytest.mark.parametrize("core", CORES)
def test_receives_of_every_kind_return_raise_and_show_what_they_do_without_us(record: Recorder, core: str) -> None:
    arguments = ["--methods"] if core == "python" else []
    plain = bare(ARRIVING, *arguments)
    done = record(ARRIVING, *arguments, options=on(core))
    assert plain.returncode == done.status == 0, (plain, done)
    assert len(done.said["tcp"]) > 80 and done.said["passed_descriptors"] == 0
    assert differences(json.loads(plain.stdout), done.said) == []
    assert done.run["core"] == core
    told = {row["operation"] for row in phases(done) if row["ready_source"] == "kernel"}
    assert told == {"recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"}


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.8", "3.10", "3.12", "3.13"])
def test_so_they_do_on_other_pythons(record: Recorder, version: str) -> None:
    python = interpreter(version)
    plain = subprocess.run([python, ARRIVING, "--methods"], capture_output=True, text=True, timeout=60)
    done = record(ARRIVING, "--methods", options=["--kernel-times"], python=python)
    assert plain.returncode == done.status == 0, (plain, done)
    assert differences(json.loads(plain.stdout), done.said) == []
    assert phases(done)


WAITING = """
    import socket, threading, time
    listener = socket.create_server(("127.0.0.1", 0))
    asleep, there = threading.Event(), threading.Event()

    def client():
        with socket.create_connection(listener.getsockname()) as sock:
            asleep.wait()
            time.sleep(0.05)
            sock.sendall(b"waited for")
            sock.recv(1)
            sock.sendall(b"lies there")
            there.set()
            sock.recv(1)

    thread = threading.Thread(target=client)
    thread.start()
    server, _ = listener.accept()
    asleep.set()
    server.recv(100)
    server.send(b"!")
    there.wait()
    time.sleep(0.05)
    server.recv(100)
    server.send(b"!")
    thread.join()
    print("done")
"""


def the_two(recorded: Recorded) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the phases of the two receives of the server in WAITING."""
    first, second = recorded.rows("SELECT p.* FROM phases p JOIN calls c ON c.id = p.call_id WHERE c.result = 10 ORDER BY p.call_id")
    return first, second


def bounds(recorded: Recorded) -> None:
    """What was waited for, and what lay there, is told as such: the ready time lies inside the send."""
    rows = recorded.rows("""
        SELECT r.ready_ns, r.started_ns + r.duration_ns AS returned_ns, s.started_ns AS sent_ns, s.duration_ns AS sent_in_ns
        FROM links l JOIN calls r ON r.id = l.to_call_id JOIN calls s ON s.id = l.from_call_id WHERE l.kind = 'sent' ORDER BY r.id""")
    assert len(rows) == 4
    for row in rows:
        assert row["sent_ns"] <= row["ready_ns"] <= min(row["sent_ns"] + row["sent_in_ns"], row["returned_ns"])


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("source", ["kernel", "sender"])
def test_a_wait_is_told_from_a_copy_and_data_that_lay_in_the_kernel_from_both(record: Recorder, core: str, source: str) -> None:
    options = on(core) if source == "kernel" else ["--core", core]
    done = record(record.script(WAITING), options=options)
    bounds(done)
    waited, lay = the_two(done)
    assert waited["ready_source"] == lay["ready_source"] == source
    assert waited["wait_ns"] > 40 * MS and waited["sat_in_kernel_ns"] == 0
    assert waited["wait_ns"] + waited["copy_ns"] == waited["duration_ns"]
    assert lay["wait_ns"] == 0 and lay["sat_in_kernel_ns"] >= 50 * MS and lay["copy_ns"] == lay["duration_ns"]


def test_the_trace_says_that_the_mode_was_on_and_what_a_call_costs_in_it(record: Recorder) -> None:
    done = record(record.script(WAITING), options=["--kernel-times"])
    assert json.loads(done.run["settings"])["kernel_times"] is True
    assert done.run["call_cost_ns"] > 0
    assert json.loads(record(record.script(WAITING)).run["settings"])["kernel_times"] is False


def test_without_it_nothing_is_asked_of_the_kernel(record: Recorder) -> None:
    script = record.script("""
        import ctypes, socket
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(1)
            value, size = ctypes.c_int(0), ctypes.c_uint32(4)
            ctypes.CDLL(None).getsockopt(listener.fileno(), 1, 37, ctypes.byref(value), ctypes.byref(size))
            print(value.value)
    """)
    assert record(script).out == "0\n"
    assert int(record(script, options=["--kernel-times"]).out) & 1 << 3


def test_forked_children_and_passed_sockets_are_asked_for_as_well(record: Recorder) -> None:
    script = record.script("""
        import os, socket
        listener = socket.create_server(("127.0.0.1", 0))
        if os.fork() == 0:
            server, _ = listener.accept()
            print(server.recv(10), server.getsockopt(1, 37), flush=True)
            os._exit(0)
        with socket.create_connection(listener.getsockname()) as sock:
            sock.send(b"hello")
            os.wait()
    """)
    done = record(script, options=["--kernel-times"])
    assert done.out == "b'hello' 0\n"
    assert [row["ready_source"] for row in phases(done)] == ["kernel"]


def test_help_and_lab_know_the_option() -> None:
    for command in ("record", "lab"):
        done = subprocess.run([sys.executable, "-m", "sockreel", command, "--help"], capture_output=True, text=True, timeout=60)
        assert "--kernel-times" in done.stdout
