"""Waits for readiness in the trace: what was watched, how long it could wait, what was ready, what that made possible."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from .playing import interpreter
from .recording import PROGRAMS, Recorded, Recorder, environment, flaws

PROGRAM = PROGRAMS / "waiting.py"
IN, OUT, PRI, ET, ONESHOT = 1, 4, 2, 1 << 31, 1 << 30
_LINKED = """
SELECT w.id AS wait, o.name AS wait_operation, c.id AS call, p.name AS operation, c.socket_id, w.thread_id AS wait_thread, c.thread_id
FROM links l JOIN calls w ON w.id = l.from_call_id JOIN operations o ON o.id = w.operation_id
JOIN calls c ON c.id = l.to_call_id JOIN operations p ON p.id = c.operation_id WHERE l.kind = 'readiness' ORDER BY c.id
"""


@pytest.fixture(scope="module", params=["c", "python"])
def recorded(record_once: Recorder, request: pytest.FixtureRequest) -> Recorded:
    """All cases under this Python, once per core."""
    done = record_once(PROGRAM, options=["--core", request.param], whole=False)
    assert done.status == 0 and flaws(done.path) == [], done
    return done


def waits(recorded: Recorded, case: str, *names: str) -> list[tuple[Any, ...]]:
    rows = [row for row in recorded.calls(function=case) if row["operation"] in (names or ("select", "poll", "epoll_wait"))]
    return [(row["operation"], row["outcome"], row["result"], row["timeout_ns"], row["asked"]) for row in rows]


def readiness(recorded: Recorded, case: str) -> list[tuple[str, Any, Any, str]]:
    return [
        (row["operation"], row["interest"], row["events"], row["kind"])
        for row in recorded.rows(
            """SELECT o.name AS operation, r.interest, r.events, s.kind FROM readiness r JOIN calls c ON c.id = r.call_id
            JOIN operations o ON o.id = c.operation_id JOIN sites f ON f.id = c.site_id JOIN sockets s ON s.id = r.socket_id
            WHERE f.function = ? ORDER BY c.id, s.kind""",
            case,
        )
    ]


def test_the_program_sees_what_it_sees_without_us(recorded: Recorded) -> None:
    plain = subprocess.run([sys.executable, str(PROGRAM)], capture_output=True, text=True, env=environment(), check=True)
    assert recorded.out == plain.stdout
    assert recorded.blind_spots == [] and recorded.run["calls_lost"] == 0


def test_select_says_how_long_it_could_wait_and_who_was_ready(recorded: Recorded) -> None:
    assert waits(recorded, "case_select") == [
        ("select", "timeout", 0, 0, 1),
        ("select", "timeout", 0, 10_000_000, 1),
        ("select", "ok", 2, 5_000_000_000, 3),
        ("select", "ok", 1, None, 1),
    ]
    assert sorted(readiness(recorded, "case_select")) == sorted(
        [("select", None, IN | OUT, "unix"), ("select", None, OUT, "unix"), ("select", None, IN, "unix")]
    )


def test_poll_and_its_interest_are_told_for_sockets_and_pipes(recorded: Recorded) -> None:
    assert waits(recorded, "case_poll") == [("poll", "timeout", 0, 0, None), ("poll", "ok", 2, None, None)]
    assert readiness(recorded, "case_poll") == [
        ("register", IN, None, "unix"),
        ("register", IN, None, "pipe"),
        ("modify", IN | PRI, None, "unix"),
        ("poll", None, IN, "pipe"),
        ("poll", None, IN, "unix"),
        ("unregister", None, None, "pipe"),
    ]
    assert [row["outcome"] for row in recorded.calls(function="case_poll", operation="unregister")] == ["ok", "error"]


def test_epoll_is_a_poller_with_edges_and_oneshots(recorded: Recorded) -> None:
    assert waits(recorded, "case_epoll") == [
        ("epoll_wait", "timeout", 0, 0, None),
        ("epoll_wait", "ok", 1, 2_500_000_000, 7),
        ("epoll_wait", "timeout", 0, 0, None),
        ("epoll_wait", "ok", 1, None, 1),
        ("epoll_wait", "timeout", 0, 0, None),
    ]
    assert [row[:3] for row in readiness(recorded, "case_epoll")][:5] == [
        ("register", IN | ET, None),
        ("epoll_wait", None, IN),
        ("modify", IN | ONESHOT, None),
        ("epoll_wait", None, IN),
        ("unregister", None, None),
    ]
    (poller,) = {row["socket_id"] for row in recorded.calls(function="case_epoll", operation="epoll_wait")}
    (row,) = recorded.rows("SELECT kind, role, closed_by FROM sockets WHERE id = ?", poller)
    assert row == {"kind": "epoll", "role": "poller", "closed_by": "close"}


def test_a_wait_is_linked_to_the_first_call_it_made_possible(recorded: Recorded) -> None:
    links = recorded.rows(_LINKED)
    by_case = {call["id"]: call["function"] for call in recorded.calls()}
    told = [(by_case[link["wait"]], link["wait_operation"], link["operation"]) for link in links]
    assert told.count(("case_select", "select", "recv")) == 2
    assert told.count(("case_poll", "poll", "recv")) == 1
    assert told.count(("case_epoll", "epoll_wait", "recv")) == 1  # another wait came between the second and its recv
    assert {row[1] for row in told if row[0] == "case_selectors"} == {"select", "poll", "epoll_wait"}
    assert {link["operation"] for link in links} == {"accept", "recv"}  # and not asyncio's setblocking right after connect
    assert all(link["wait"] < link["call"] and link["wait_thread"] == link["thread_id"] for link in links)
    threads = {link["thread_id"] for link in links if by_case[link["wait"]].endswith("serve") and link["wait_operation"] == "select"}
    assert len(threads) == 2
    loop = [link["operation"] for link in links if by_case[link["wait"]] not in {row[0] for row in told if row[0].startswith("case")}]
    assert loop or any(row[1] == "epoll_wait" and row[2] in ("accept", "recv") for row in told)


def test_a_wait_that_could_not_wait_counts_as_fruitless(recorded: Recorded) -> None:
    classes = recorded.rows("SELECT sum(calls) AS n FROM levels WHERE level = 7 AND socket_id = 0 AND class = 'fruitless'")
    expected = recorded.rows(
        """SELECT count(*) AS n FROM calls c JOIN operations o ON o.id = c.operation_id JOIN outcomes u ON u.id = c.outcome_id
        WHERE (u.name = 'would_block' OR (o.layer = 'wait' AND c.timeout_ns = 0 AND c.result = 0))
          AND c.duration_ns < 8000000 -- long ones, as a busy machine makes them, stand in no level"""
    )
    assert classes == expected and expected[0]["n"] >= 7


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_waits_are_recorded_under_another_python(record: Recorder, version: str) -> None:
    python = interpreter(version)
    done = record(PROGRAM, python=python)
    plain = subprocess.run([python, str(PROGRAM)], capture_output=True, text=True, env=environment(), check=True)
    assert done.status == 0 and done.out == plain.stdout
    assert waits(done, "case_select")[0] == ("select", "timeout", 0, 0, 1)
    assert len(done.rows(_LINKED)) >= 8
    assert done.blind_spots == []


def test_a_program_with_a_module_of_its_own_named_select_runs_as_before(record: Recorder) -> None:
    record.script("def select(*_):\n    return 'mine'\n", "select.py")
    done = record(record.script("import select\nprint(select.select())\n"))
    assert (done.status, done.out) == (0, "mine\n")
