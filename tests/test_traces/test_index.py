"""The index of calls that were not fruitless: queries that seek such a call do not walk past the fruitless ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.traces import named_queries, open_trace

QUERIES = ("short_calls_not_fruitless", "marks_of_run", "queue_reads", "first_listen_of_run", "said_of_run", "packet_receives",
           "explain_small_reads", "explain_eofs", "explain_first_eofs", "figure_receives", "unix_connects_of_run", "requests_of_run")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A spin, one wait that found nothing, one that ended in a timeout, and one receive."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread, socket = run.thread(), run.socket(4)
        run.spin(thread, "recv", socket, at_ns=0, until_ns=MS, every_ns=10 * US)
        run.call(thread, "epoll_wait", None, at_ns=2 * MS, duration_ns=US, outcome="timeout", result=0, timeout_ns=0)
        run.call(thread, "epoll_wait", None, at_ns=3 * MS, duration_ns=MS, outcome="timeout", result=0, timeout_ns=MS)
        run.call(thread, "recv", socket, at_ns=5 * MS, duration_ns=US, result=7)
        run.finish(9 * MS)
    return tmp_path / "t.db"


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_for_calls_that_did_something_uses_the_index(path: Path, name: str) -> None:
    sql = named_queries()[name]
    parameters = dict.fromkeys(re.findall(r":([a-z_]+)", sql), 1)
    with open_trace(path) as trace:
        plan = [row["detail"] for row in trace.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        assert any("calls_not_fruitless" in step for step in plan), plan
        assert not [step for step in plan if step in ("SCAN c", "SCAN calls")], plan


def test_it_holds_the_calls_that_were_not_fruitless_and_no_other(path: Path) -> None:
    with open_trace(path) as trace:
        kept = trace.rows("SELECT operation_id, timeout_ns FROM calls INDEXED BY calls_not_fruitless WHERE run_id = 1"
                          " AND outcome_id <> 1 AND (outcome_id <> 5 OR ifnull(timeout_ns, 1) <> 0) ORDER BY id")
        assert [tuple(row) for row in kept] == [(25, MS), (2, None)]


@pytest.mark.parametrize("name", ["queue_reads", "requests_of_run", "short_calls_not_fruitless"])
def test_a_trace_without_the_index_says_the_same(path: Path, name: str) -> None:
    """Traces of earlier versions have none."""
    import sqlite3

    parameters: dict[str, object] = {
        "run": 1, "sockets": "[1]", "first": 0, "last": 1 << 60, "every": 1, "threads": "[]", "start": 0, "end": MS * 9}
    told = []
    for _ in range(2):
        with open_trace(path) as trace:
            told.append([tuple(row) for row in trace.rows(named_queries()[name], parameters)])
        connection = sqlite3.connect(path)
        connection.execute("DROP INDEX IF EXISTS calls_not_fruitless")
        connection.commit()
        connection.close()
    assert told[0] == told[1]
    assert name == "requests_of_run" or told[0]
