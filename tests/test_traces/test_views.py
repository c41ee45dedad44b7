"""The views, each checked against the same thing worked out in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sockreel.tests.examples import FOLDED, SPINNING
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.traces import Trace, open_trace


@pytest.fixture
def trace(lab: Path) -> Iterator[Trace]:
    """The trace `lab`, opened."""
    with open_trace(lab) as opened:
        yield opened


def _words(trace: Trace) -> list[str]:
    return [row["words"] for row in trace.rows("SELECT words FROM call_log WHERE run_id = 1 ORDER BY id")]


def test_call_log_tells_every_call_in_words(trace: Trace) -> None:
    assert _words(trace) == [
        "0.010000 s  Main\x1bThread  accept(fd 3) -> ok socket 2 after 290000.0 us  /home/ada/server.py:12",
        "0.500000 s  Main\x1bThread  recv(fd 4) -> ok 25 bytes after 1300000.0 us",
        "1.900000 s  Main\x1bThread  sendall(fd 4) -> ok 25 bytes after 20.0 us",
        "1.950000 s  Main\x1bThread  recv(fd 4) -> reset after 20.0 us",
        "1.960000 s  Main\x1bThread  close(fd 4) -> ok after 9.0 us",
        "1.970000 s  Main\x1bThread  accept(fd 3) -> unfinished  /home/ada/server.py:12",
    ]


def test_call_log_has_one_line_for_every_call(trace: Trace) -> None:
    assert trace.rows("SELECT count(*) FROM call_log")[0][0] == trace.rows("SELECT count(*) FROM calls")[0][0] == 6 + SPINNING + 5


def test_a_spin_holds_its_folded_calls_and_no_others(trace: Trace) -> None:
    long, short = trace.rows("SELECT * FROM spins ORDER BY calls DESC")
    assert (long["calls"], long["started_ns"], long["ended_ns"]) == (SPINNING + FOLDED, 10 * MS, 20 * MS - 10 * US + 3 * US)
    assert long["in_calls_ns"] == SPINNING * 3 * US + FOLDED * 1 * US
    assert (short["calls"], short["in_calls_ns"]) == (1, 3 * US)


def test_the_phases_are_told_where_the_kernel_said_when_it_was_ready(trace: Trace) -> None:
    (phase,) = trace.rows("SELECT * FROM phases")
    assert (phase["wait_ns"], phase["copy_ns"], phase["sat_in_kernel_ns"]) == (1200 * MS, 100 * MS, 0)


def test_data_that_was_there_before_the_call_sat_in_the_kernel(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        run.call(run.thread(), "recv", run.socket(4), at_ns=50 * MS, duration_ns=10 * US, result=1, ready_ns=20 * MS)
        run.finish(1 * S)
    with open_trace(tmp_path / "t.db") as trace:
        (phase,) = trace.rows("SELECT * FROM phases")
    assert (phase["wait_ns"], phase["copy_ns"], phase["sat_in_kernel_ns"]) == (0, 10 * US, 30 * MS)


def test_connections_count_what_each_of_them_carried(trace: Trace) -> None:
    blocking, nonblocking = trace.rows("SELECT * FROM connections ORDER BY run_id")
    names = ("peer", "calls", "fruitless", "received_bytes", "sent_bytes", "eofs", "resets", "closed_ns")
    assert [blocking[name] for name in names] == ["127.0.0.1:50001", 4, 0, 25, 25, 0, 1, 1960 * MS]
    assert [nonblocking[name] for name in names] == ["127.0.0.1:50002", 4, 1, 6, 6, 1, 0, None]


def test_a_peek_is_not_counted_as_received(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread, socket = run.thread(), run.socket(4)
        run.call(thread, "recv", socket, at_ns=1 * MS, result=5, flags=2)
        run.call(thread, "recv", socket, at_ns=2 * MS, result=5)
        run.finish(1 * S)
    with open_trace(tmp_path / "t.db") as trace:
        assert trace.rows("SELECT received_bytes FROM connections")[0][0] == 5
        assert [tuple(row) for row in trace.rows("SELECT n, received_bytes FROM requests")] == [(1, 5)]


@dataclass(frozen=True)
class Step:
    """One call on one of three connections."""

    socket: int
    operation: str
    outcome: str
    size: int
    gap_us: int


steps = st.lists(
    st.builds(
        Step,
        socket=st.integers(0, 2),
        operation=st.sampled_from(["recv", "recv_into", "send", "sendall"]),
        outcome=st.sampled_from(["ok", "ok", "ok", "would_block", "eof", "reset"]),
        size=st.integers(0, 3),
        gap_us=st.integers(0, 50),
    ),
    max_size=40,
)


@settings(max_examples=80)
@given(steps)
def test_requests_connections_and_spins_agree_with_plain_python(tmp_path: Path, steps: list[Step]) -> None:
    path = tmp_path / "t.db"
    with Recording(path, "replace") as recording:
        run = recording.run()
        thread = run.thread()
        sockets = [run.socket(4 + n, peer=f"127.0.0.1:{5000 + n}") for n in range(3)]
        at_ns = 0
        for step in steps:
            at_ns += (5 + step.gap_us) * US
            result = step.size if step.outcome == "ok" else None
            run.call(thread, step.operation, sockets[step.socket], at_ns=at_ns, duration_ns=2 * US, outcome=step.outcome, result=result)
        run.finish(1 * S)
    with open_trace(path) as trace:
        for n, socket in enumerate(sockets):
            mine = [step for step in steps if step.socket == n]
            found = trace.rows("SELECT n, received_bytes, sent_bytes FROM requests WHERE socket_id = ? ORDER BY n", [socket])
            assert [tuple(row) for row in found] == _requests(mine)
            (row,) = trace.rows("SELECT * FROM connections WHERE socket_id = ?", [socket])
            assert (row["received_bytes"] or 0) == sum(step.size for step in mine if _moves(step) and _receives(step))
            assert (row["sent_bytes"] or 0) == sum(step.size for step in mine if _moves(step) and not _receives(step))
            assert (row["fruitless"] or 0) == sum(step.outcome == "would_block" for step in mine)
        spins = [len(list(group)) for fruitless, group in groupby(steps, lambda step: step.outcome == "would_block") if fruitless]
        assert [row["calls"] for row in trace.rows("SELECT calls FROM spins ORDER BY started_ns")] == spins


def _receives(step: Step) -> bool:
    return step.operation.startswith("recv")


def _moves(step: Step) -> bool:
    return step.outcome == "ok" and step.size > 0


def _requests(steps: list[Step]) -> list[tuple[int, int, int]]:
    """A request begins with the first receive after a send (or at all) and takes in what is sent until the next begins."""
    found: list[list[int]] = []
    answering = True
    for step in filter(_moves, steps):
        if _receives(step):
            if answering:
                found.append([len(found) + 1, 0, 0])
            answering = False
            found[-1][1] += step.size
        else:
            answering = True
            if found:
                found[-1][2] += step.size
    return [(n, received, sent) for n, received, sent in found]


def test_summary_adds_up_to_every_call_and_byte(trace: Trace) -> None:
    rows = {(row["operation"], row["outcome"]): row for row in trace.rows("SELECT * FROM summary WHERE run_id = 2")}
    assert rows["accept", "would_block"]["calls"] == SPINNING + FOLDED
    assert rows["recv", "ok"]["bytes"] == rows["send", "ok"]["bytes"] == 6
    assert sum(row["calls"] for row in rows.values()) == trace.find_run("2").calls_recorded == SPINNING + FOLDED + 5
