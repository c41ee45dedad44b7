"""The teaching servers: right under every shipped workload, byte-exact, and quiet at their end."""

from __future__ import annotations

import signal
import socket
import struct
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sockreel.recorder.models import SERVERS as MODELS
from sockreel.recorder.workloads.crowd import Crowd, Exchange
from sockreel.recorder.workloads.workload import Workload, load_workload

from .playing import PATIENCE_S, SERVERS, collect, interpreter, teaching

ALL = [*MODELS, "signal_driven --rt"]
ONE_AT_A_TIME = "blocking"
# What takes seconds with each of them is for the long run, but for two.
EACH = [pytest.param(name, marks=() if name in ("blocking", "nonblocking") else pytest.mark.slow) for name in ALL]
VERSIONS = ["this", "3.8", "3.13"]
LARGE = bytes(range(256)) * 20_000  # 5 MB


def exchanges(server: str, workload: str | Workload) -> list[Exchange]:
    """Play a workload, or a shipped one by its name, against a teaching server."""
    played = load_workload(workload) if isinstance(workload, str) else workload
    with teaching(server) as (_, (host, port)), Crowd(played) as crowd:
        crowd.connect("AF_INET", f"{host}:{port}")
        rows = collect(crowd)
    assert crowd.error is None
    return rows


def by_client(rows: list[Exchange], client: str) -> list[Exchange]:
    return [row for row in rows if row.client == client]


def when(row: Exchange) -> int:
    assert row.answered_ns is not None
    return row.answered_ns


def read_to_the_end(conn: socket.socket) -> bytes:
    data = bytearray()
    while chunk := conn.recv(1 << 20):
        data += chunk
    return bytes(data)


@pytest.mark.parametrize(("workload", "count"), [("burst", 200), ("trickle", 7), ("reset", 22)])
@pytest.mark.parametrize("server", ALL)
def test_all_answer_everything_in_turn_or_at_once(server: str, workload: str, count: int) -> None:
    rows = exchanges(server, workload)
    assert len(rows) == count
    assert [row for row in rows if row.result != "ok" or row.answered_bytes != row.sent_bytes or not row.sent_bytes] == []


@pytest.mark.parametrize("server", EACH)
def test_the_slow_client_of_the_lecture_keeps_others_waiting_only_if_the_server_blocks(server: str) -> None:
    rows = exchanges(server, "lecture")
    assert [row.result for row in rows] == ["ok"] * 8
    slow, anna, ben = (by_client(rows, name) for name in ("slow", "anna", "ben"))
    assert (when(anna[0]) > when(slow[-1])) == (server == ONE_AT_A_TIME)
    assert (when(ben[0]) > when(anna[-1])) == (server == ONE_AT_A_TIME)


@pytest.mark.parametrize("server", EACH)
def test_a_talker_behind_silent_clients_is_heard_only_if_the_server_does_not_block(server: str) -> None:
    idle = load_workload("idle")
    if server != ONE_AT_A_TIME:  # who answers may take as long as a busy machine needs
        patience_ns = int(PATIENCE_S * 1e9)
        idle = replace(idle, limit_ns=patience_ns, groups=tuple(replace(group, timeout_ns=None, messages=tuple(
            replace(message, timeout_ns=None) for message in group.messages)) for group in idle.groups))
    rows = exchanges(server, idle)
    talker = by_client(rows, "talker")
    assert [row.result for row in talker] == ["none" if server == ONE_AT_A_TIME else "ok"] * 5
    silent = [row for row in rows if row.client != "talker"]
    assert [(row.n, row.result) for row in silent] == [(0, "ok")] * 100


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("server", EACH)
def test_large_messages_come_back_byte_for_byte(server: str, version: str) -> None:
    with teaching(server, python=interpreter(version)) as (_, address), socket.create_connection(address, PATIENCE_S) as client:

        def say() -> None:
            client.sendall(LARGE)
            client.shutdown(socket.SHUT_WR)

        speaker = threading.Thread(target=say)
        speaker.start()
        answer = read_to_the_end(client)
        speaker.join()
    assert answer == LARGE.upper()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("server", ALL)
def test_ctrl_c_ends_them_quietly_and_closes_what_is_open(server: str, version: str) -> None:
    with teaching(server, python=interpreter(version)) as (process, address), socket.create_connection(address, PATIENCE_S) as client:
        client.sendall(b"hello")
        assert client.recv(5, socket.MSG_WAITALL) == b"HELLO"
        process.send_signal(signal.SIGINT)
        assert client.recv(5) == b""
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr is not None and process.stderr.read() == ""


@pytest.mark.parametrize("server", ALL)
def test_ctrl_c_before_anybody_came_is_quiet_too(server: str) -> None:
    with teaching(server) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr is not None and process.stderr.read() == ""


@pytest.mark.parametrize("server", ALL)
def test_a_port_that_was_just_in_use_can_be_listened_on_again(server: str) -> None:
    with teaching(server) as (process, address), socket.create_connection(address, PATIENCE_S) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"X"
        process.send_signal(signal.SIGINT)  # the server closes first: its side lingers in TIME_WAIT
        process.wait(PATIENCE_S)
        assert client.recv(1) == b""
    with teaching(server, address[0], str(address[1])) as (_, again):
        assert again == address


@pytest.mark.parametrize("server", ALL)
def test_clients_that_vanish_do_not_disturb_the_next(server: str) -> None:
    with teaching(server) as (process, address):
        for said in (b"", b"hello", LARGE[:1_000_000]):
            with socket.create_connection(address, PATIENCE_S) as rude:
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                rude.setblocking(False)
                if said:
                    rude.send(said)
        with socket.create_connection(address, PATIENCE_S) as client:
            client.sendall(b"still there?")
            assert client.recv(12, socket.MSG_WAITALL) == b"STILL THERE?"
        assert process.poll() is None


@pytest.mark.parametrize("server", [name for name in ALL if name != ONE_AT_A_TIME])
def test_who_reads_its_answer_late_keeps_nobody_else_waiting(server: str) -> None:
    with teaching(server) as (_, address), socket.create_connection(address, PATIENCE_S) as deaf:
        deaf.setblocking(False)
        said = bytearray()
        refusals = 0
        while refusals < 3:  # in a row: not one more byte fits, though the server went round and served another
            try:
                said += LARGE[: deaf.send(LARGE)]
                refusals = 0
            except BlockingIOError:
                refusals += 1
                with socket.create_connection(address, PATIENCE_S) as other:
                    for _ in range(2):
                        other.sendall(b"and me")
                        assert other.recv(6, socket.MSG_WAITALL) == b"AND ME"
        assert len(said) > 100_000
        deaf.settimeout(PATIENCE_S)
        deaf.shutdown(socket.SHUT_WR)
        assert read_to_the_end(deaf) == said.upper()


@pytest.mark.parametrize("server", ALL)
def test_they_listen_on_ipv6_when_told(server: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with teaching(server, "::1", "0") as (_, address), socket.create_connection(address, PATIENCE_S) as client:
        client.sendall(b"six")
        assert client.recv(3, socket.MSG_WAITALL) == b"SIX"


@pytest.mark.parametrize("script", sorted(SERVERS.glob("*.py")))
def test_they_fit_on_a_slide_and_know_nothing_of_sockreel(script: Path) -> None:
    text = script.read_text()
    assert "sockreel" not in text
    lines = text.splitlines()
    assert script.name == "ring.py" or (len(lines) <= 80 and all(len(line) <= 100 for line in lines))


def test_every_script_is_a_model_or_its_neighbour_and_shadows_no_module_of_the_library() -> None:
    scripts = {script.stem for script in SERVERS.glob("*.py")} - {"__init__"}
    assert scripts == {server.script.stem for server in MODELS.values()} | {"ring"}
    assert scripts & set(sys.stdlib_module_names) == set()
    assert {server.model for server in MODELS.values()} == {"blocking", "nonblocking", "multiplexing", "signal-driven", "asynchronous"}
