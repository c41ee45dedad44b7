"""The whole of one server: an unmodified nonblocking echo server, five clients, one of which resets."""

from __future__ import annotations

import re
import shutil
import socket
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from .recording import PATIENCE_S, PROGRAMS, Recorded, Recorder

SERVER = PROGRAMS / "echo_counting.py"
SAYS = [[b"hello", b"again"], [b"x" * 5000], [b"\x00\xff" * 40], [b"one", b"two", b"three"], []]
RESETS = [b"I will be gone"]


def talk(port: int) -> int:
    """Be the five clients: four say their lines and leave, one of them saying nothing; a fifth resets.

    Returns:
        How many bytes the server received.
    """
    clients = [socket.create_connection(("127.0.0.1", port), PATIENCE_S) for _ in SAYS]
    for client, lines in zip(clients, SAYS, strict=True):
        for line in lines:
            client.sendall(line)
            assert client.recv(len(line), socket.MSG_WAITALL) == line.upper()
    rude = clients.pop(1)
    rude.sendall(RESETS[0])
    assert rude.recv(len(RESETS[0]), socket.MSG_WAITALL) == RESETS[0].upper()
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rude.close()
    for client in clients:
        client.close()
    return sum(map(len, sum(SAYS, RESETS)))


@pytest.fixture(scope="module")
def echo(record_once: Recorder) -> Recorded:
    """The server, recorded."""
    with record_once.running(SERVER) as running:
        talk(int(running.line()))
        return running.ended()


def counted(recorded: Recorded) -> Counter[str]:
    return Counter(f"{operation} {outcome}" for operation, outcome in recorded.outcomes())


def test_every_call_is_there_as_often_as_the_server_itself_counted_it(echo: Recorded) -> None:
    own: dict[str, Any] = echo.said
    found = counted(echo)
    assert own["accept would_block"] > 0 and own["recv would_block"] > 0
    assert found == Counter(own["calls"])
    assert found["accept ok"] == 5 and found["recv eof"] == 4 and found["recv reset"] == 1 and found["close ok"] == 6


def test_the_bytes_are_those_that_the_clients_sent(echo: Recorded) -> None:
    sent = sum(map(len, sum(SAYS, RESETS)))
    assert sum(row["result"] for row in echo.calls(operation="recv", outcome="ok")) == sent
    assert sum(row["result"] for row in echo.calls(operation="send", outcome="ok")) == sent
    sizes = [row["size"] for row in echo.calls(operation="recv", outcome="ok")]
    assert sum(sizes) == sent
    by_peer = {row["peer"]: row["received_bytes"] for row in echo.rows("SELECT peer, received_bytes FROM connections")}
    assert sorted(value or 0 for value in by_peer.values()) == sorted(
        sum(map(len, lines)) + (len(RESETS[0]) if number == 1 else 0) for number, lines in enumerate(SAYS)
    )


def test_the_summaries_say_what_the_calls_say(echo: Recorded) -> None:
    found = {f"{row['operation']} {row['outcome']}": row["calls"] for row in echo.rows("SELECT * FROM summary")}
    assert found == dict(counted(echo))


def test_times_are_those_of_the_calls(echo: Recorded) -> None:
    rows = echo.calls()
    assert all(row["duration_ns"] > 0 for row in rows)
    ends = [row["started_ns"] + row["duration_ns"] for row in rows]
    # One thread, one call after the other.
    assert all(before <= row["started_ns"] for before, row in zip(ends, rows[1:], strict=False))
    assert ends[-1] <= echo.run["duration_ns"]


def test_every_site_is_the_line_of_the_server_that_made_the_call(echo: Recorded) -> None:
    lines = SERVER.read_text().splitlines()
    for row in echo.calls():
        assert row["file"] == str(SERVER) and row["code"] == lines[row["line"] - 1].strip()
        called = {"accept": ".accept(", "setblocking": ".setblocking("}.get(row["operation"], f".{row['operation']}(")
        assert called in row["code"], row
    assert echo.rows("SELECT text FROM sources WHERE file = ?", str(SERVER)) == [{"text": SERVER.read_text()}]


def test_sockets_know_their_listener_their_ends_and_who_closed_them(echo: Recorded) -> None:
    listener, *accepted = echo.rows("SELECT * FROM sockets ORDER BY id")
    assert listener["role"] == "listener" and listener["origin"] == "created" and listener["peer"] is None
    assert len(accepted) == 5
    for row in accepted:
        assert (row["role"], row["origin"], row["parent_id"], row["local"]) == ("accepted", "accepted", listener["id"], listener["local"])
        assert re.fullmatch(r"127\.0\.0\.1:\d+", row["peer"]) and row["closed_by"] == "close"
        assert row["opened_ns"] < row["closed_ns"]
    assert [row["result"] for row in echo.calls(operation="accept", outcome="ok")] == [row["id"] for row in accepted]


_STRACE = re.compile(r"^(?:\d+ +)?(accept4|recvfrom|sendto|close|listen|bind)\((\d+)(.*)\) += (-?\d+)(?: (E\w+))?")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_strace_of_another_run_sees_the_same_but_for_the_number_of_attempts(echo: Recorded, tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    strace = ["strace", "-f", "-o", str(log), "-e", "trace=network,close", sys.executable, str(SERVER)]
    with subprocess.Popen(strace, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        talk(int(process.stdout.readline()))
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    seen: Counter[tuple[str, str, int]] = Counter()
    sockets: set[str] = set()
    for line in log.read_text().splitlines():
        found = _STRACE.match(line)
        if found is None or (found[1] == "close" and found[2] not in sockets):
            continue
        sockets.add(found[4] if found[1] == "accept4" else found[2])
        if found[1] == "close":
            sockets.discard(found[2])
        result = 0 if found[1] == "accept4" else int(found[4])
        if found[5] != "EAGAIN":
            seen[found[1], found[5] or "", result] += 1
    names = {"accept": "accept4", "recv": "recvfrom", "send": "sendto"}
    ours: Counter[tuple[str, str, int]] = Counter()
    for row in echo.calls():
        if row["outcome"] != "would_block" and row["operation"] not in ("setblocking", "setsockopt"):
            failed = "ECONNRESET" if row["outcome"] == "reset" else ""
            result = -1 if failed else 0 if row["operation"] == "accept" else row["result"] or 0
            ours[names.get(row["operation"], row["operation"]), failed, result] += 1
    assert ours == seen
