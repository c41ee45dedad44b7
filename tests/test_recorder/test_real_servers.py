"""Servers as people write them, with their clients: they run as they would without us, and every call on a socket is told."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from .recording import PATIENCE_S, PROGRAMS, Recorded, Recorder, bare

PROGRAM = PROGRAMS / "real_servers.py"
CLIENTS, ROUNDS = 4, 3
F_SETFL = 4  # fcntl(2)
WORDS = [f"WORD {number}" for number in range(ROUNDS)]
ET, ONESHOT = 1 << 31, 1 << 30
STREAMS = [
    "socketserver_threading", "socketserver_forking", "socketserver_unix", "thread_pool", "edge_oneshot", "asyncio_sockets", "asyncio_unix",
    "sigio",
]  # fmt: skip


def run(record: Recorder, name: str, core: str = "c") -> Recorded:
    """Record one server with its clients; it must have heard what it hears bare, and nothing may have escaped us."""
    plain = bare(PROGRAM, name)
    assert plain.returncode == 0, plain.stderr
    done = record(PROGRAM, name, options=["--core", core])
    assert (done.status, done.out) == (0, plain.stdout)
    assert done.run["calls_lost"] == 0
    return done


def moved(done: Recorded, role: str, *operations: str) -> tuple[int, int]:
    """Return how many calls of these operations moved bytes on sockets of one role, and how many bytes."""
    rows = [row for row in done.calls(role=role, outcome="ok") if row["operation"] in operations]
    return len(rows), sum(row["result"] for row in rows)


RECEIVES, SENDS = ("recv", "recv_into"), ("send", "sendall")


@pytest.mark.parametrize("core", ["c", "python"])
@pytest.mark.parametrize("name", STREAMS)
def test_every_word_is_told_at_both_ends(record: Recorder, name: str, core: str) -> None:
    done = run(record, name, core)
    assert done.said == [WORDS] * CLIENTS
    assert done.blind_spots == []
    words = (CLIENTS * ROUNDS, CLIENTS * ROUNDS * len(WORDS[0]))
    assert moved(done, "accepted", *RECEIVES) == moved(done, "accepted", *SENDS) == words
    assert moved(done, "connected", *RECEIVES) == moved(done, "connected", *SENDS) == words
    assert len(done.calls(operation="accept", outcome="ok")) == CLIENTS
    assert len([row for row in done.calls(role="accepted", outcome="eof") if row["operation"] in RECEIVES]) == CLIENTS


def test_a_thread_pool_shares_the_connections(record: Recorder) -> None:
    done = run(record, "thread_pool")
    workers = {row["thread_id"] for row in done.calls(role="accepted", operation="recv")}
    (acceptor,) = {row["thread_id"] for row in done.calls(operation="accept")}
    assert 1 <= len(workers) <= 2 and acceptor not in workers


def test_a_forking_server_serves_each_connection_in_a_process_of_its_own(record: Recorder) -> None:
    done = run(record, "socketserver_forking")
    serving = {row["pid"] for row in done.calls(role="accepted", operation="recv")}
    accepting = {row["pid"] for row in done.calls(operation="accept")}
    assert len(serving) == CLIENTS and len(accepting) == 1 and not serving & accepting
    inherited = done.rows("SELECT s.origin, o.process_id AS before, s.process_id AS now FROM sockets s JOIN sockets o ON o.id = s.origin_id"
                          " WHERE s.role = 'accepted' AND s.origin = 'inherited'")
    assert len(inherited) >= CLIENTS and all(row["before"] != row["now"] for row in inherited)


def test_datagrams_name_who_sent_them(record: Recorder) -> None:
    for name, answered in (("socketserver_udp", "sendto"), ("asyncio_datagram", "sendto")):
        done = run(record, name)
        assert done.said == [WORDS] and done.blind_spots == []
        (server,) = {row["socket_id"] for row in done.calls(operation="bind")}
        got = done.calls(operation="recvfrom", socket_id=server, outcome="ok")
        assert [row["payload"] for row in got] == [word.lower().encode() for word in WORDS]
        assert len({row["peer"] for row in got}) == 1 and got[0]["peer"]
        assert {row["peer"] for row in done.calls(operation=answered, socket_id=server)} == {got[0]["peer"]}


def test_what_was_asked_of_an_epoll_inside_asyncios_is_told(record: Recorder) -> None:
    done = run(record, "edge_oneshot")
    asked = done.rows("SELECT o.name AS operation, r.interest FROM readiness r JOIN calls c ON c.id = r.call_id"
                      " JOIN operations o ON o.id = c.operation_id JOIN sockets s ON s.id = r.socket_id"
                      " WHERE r.interest IS NOT NULL AND s.role IN ('listener', 'accepted')")
    assert {row["operation"] for row in asked} == {"register", "modify"}
    assert all(row["interest"] & (ET | ONESHOT) == ET | ONESHOT for row in asked)
    enabled = _enabled(done)
    assert enabled["epoll_wait", "accept"] >= 1 and enabled["epoll_wait", "recv"] >= CLIENTS
    # The outer loop waits for the inner epoll, which is a descriptor like any other.
    assert done.rows("SELECT count(*) AS n FROM readiness r JOIN sockets s ON s.id = r.socket_id WHERE s.kind = 'epoll'")[0]["n"] >= 1


def test_asyncios_socket_calls_are_linked_to_the_waits_that_made_them_possible(record: Recorder) -> None:
    done = run(record, "asyncio_sockets")
    enabled = _enabled(done)
    assert enabled["epoll_wait", "recv"] >= CLIENTS and enabled["epoll_wait", "recv_into"] >= CLIENTS
    assert {operation for _, operation in enabled} <= {"accept", "recv", "recv_into", "send", "connect"}
    assert {row["outcome"] for row in done.calls(operation="connect")} <= {"ok", "in_progress"}
    assert {row["timeout_ns"] for row in done.calls(role="accepted") if row["operation"] in RECEIVES} == {0}


def test_readers_and_childrens_pipes_are_watched(record: Recorder) -> None:
    done = run(record, "asyncio_reader")
    assert done.said == [WORDS] and done.blind_spots == []
    pipes = "SELECT count(*) AS n FROM readiness r JOIN sockets s ON s.id = r.socket_id WHERE s.kind = 'pipe' AND r.events IS NOT NULL"
    assert done.rows(pipes)[0]["n"] == ROUNDS
    assert _enabled(done)["epoll_wait", "recv"] == ROUNDS
    done = run(record, "asyncio_subprocess")
    assert done.said == [WORDS]
    assert [spot for spot in done.blind_spots if not spot.startswith("cat (pid ")] == []
    assert done.rows(pipes)[0]["n"] >= 1


@pytest.mark.parametrize("core", ["c", "python"])
def test_signals_name_the_connection_that_had_something_and_not_one_that_was_asked_in_vain(record: Recorder, core: str) -> None:
    done = run(record, "sigio", core)
    came = done.rows("SELECT g.*, s.role FROM signals g LEFT JOIN sockets s ON s.id = g.socket_id ORDER BY g.started_ns, g.id")
    assert {row["signal"] for row in came} == {"SIGIO"} and {row["via"] for row in came} >= {"handler"}
    assert {row["role"] for row in came} <= {"listener", "accepted", None} and any(row["role"] for row in came)
    fcntl = done.calls(operation="fcntl")
    assert Counter(row["role"] for row in fcntl) == {"listener": 2, "accepted": 2 * CLIENTS}
    arming = {row["socket_id"]: (row["started_ns"], row["started_ns"] + row["duration_ns"]) for row in fcntl if row["flags"] == F_SETFL}
    asked = [call for call in done.calls() if call["operation"] in ("accept", "recv", "send")]
    for row, following in zip(came, [*came[1:], None], strict=True):
        if any(began_ns <= row["started_ns"] <= armed_ns for began_ns, armed_ns in arming.values()):
            continue  # it may be that socket's already
        # A signal may come while a handler runs that has not masked it yet: its own handler then runs inside that one.
        over_ns = min(following["started_ns"] if following else 1 << 62, row["ended_ns"] if row["via"] == "handler" else 1 << 62)
        inside = [call for call in asked if call["thread_id"] == row["thread_id"] and row["started_ns"] <= call["started_ns"] <= over_ns]
        answered = [call for call in inside if call["outcome"] != "would_block"]
        first = next((call for call in answered if arming[call["socket_id"]][1] <= row["started_ns"]), None)
        if first is not None:
            assert row["socket_id"] == first["socket_id"]
        else:
            # While the listener alone is armed a signal is the listener's, whether it has somebody or not.
            assert row["role"] in ("listener", None)


def _enabled(done: Recorded) -> Counter[tuple[str, str]]:
    """Return how often which wait was linked to which operation."""
    rows = done.rows("SELECT o.name AS wait, p.name AS operation FROM links l JOIN calls w ON w.id = l.from_call_id"
                     " JOIN operations o ON o.id = w.operation_id JOIN calls c ON c.id = l.to_call_id"
                     " JOIN operations p ON p.id = c.operation_id WHERE l.kind = 'readiness'")
    return Counter((row["wait"], row["operation"]) for row in rows)


def test_gunicorn_reloads_and_both_generations_of_workers_are_recorded(record: Recorder) -> None:
    if importlib.util.find_spec("gunicorn") is None:
        pytest.skip("gunicorn is not installed (extra `frameworks`)")
    record.script("""
        import os
        def app(environ, start_response):
            start_response("200 OK", [("Content-Length", "%d" % len(str(os.getpid())))])
            return [str(os.getpid()).encode()]
    """, "told.py")  # fmt: skip
    command = ("-m", "gunicorn", "-b", "127.0.0.1:0", "-w", "1", "--worker-tmp-dir", str(Path(os.path.abspath(os.sep)) / "tmp"), "told:app")
    with record.running(*command, python=sys.executable) as running:
        listening = _said(running, r"Listening at: http://127\.0\.0\.1:(\d+) \((\d+)\)")
        port, master = int(listening[1]), int(listening[2])
        first = int(_said(running, r"Booting worker with pid: (\d+)")[1])
        assert _asked(port) == first
        os.kill(master, signal.SIGHUP)
        seen: dict[str, Any] = {}
        while len(seen) < 2:  # either may come first
            found = _said(running, r"(Booting worker with pid|Worker exiting \(pid): (\d+)")
            seen[found[1]] = int(found[2])
        assert seen["Worker exiting (pid"] == first
        second = seen["Booting worker with pid"]
        assert second != first and _asked(port) == second
        os.kill(master, signal.SIGTERM)
        done = running.ended()
    assert done.status == 0 and done.run["calls_lost"] == 0
    served = {row["pid"] for row in done.calls(role="accepted", outcome="ok") if row["operation"].startswith("send")}
    assert served == {first, second}
    told = {row["signal"] for row in done.rows("SELECT signal FROM signals g JOIN threads t ON t.id = g.thread_id"
                                               " JOIN processes p ON p.id = t.process_id WHERE p.pid = ?", master)}
    assert {"SIGHUP", "SIGTERM", "SIGCHLD"} <= told
    listeners = done.rows("SELECT p.pid, s.origin FROM sockets s JOIN processes p ON p.id = s.process_id WHERE s.role = 'listener'")
    assert {(row["pid"], row["origin"]) for row in listeners} >= {(first, "inherited"), (second, "inherited")}


def _said(running: Any, pattern: str) -> re.Match[str]:
    """Read what gunicorn logs up to a line."""
    while True:
        line = running.process.stderr.readline()
        assert line, f"ended before {pattern}"
        found = re.search(pattern, line)
        if found:
            return found


def _asked(port: int) -> int:
    """Ask for a page, and return who answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(1000), b""))
    return int(json.loads(answer.rpartition(b"\r\n")[2]))
