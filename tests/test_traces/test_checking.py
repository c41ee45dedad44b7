"""What `check` finds: every promise of the format broken once, and found."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sockreel.tests.examples import write_lab
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.traces import TraceError, open_trace
from sockreel.traces.checking import Check, check_trace


def _check(path: Path) -> Check:
    with open_trace(path) as trace:
        return check_trace(trace)


def test_a_trace_as_it_should_be_is_whole(lab: Path) -> None:
    found = _check(lab)
    assert found.whole
    assert list(found.findings) == []
    assert [run.label for run in found.runs] == ["blocking", "nonblocking"]


TAMPERING = {
    "a call taken away": (
        "DELETE FROM calls WHERE id = 5",
        ["6 calls were recorded, 5 are here", "0 close of process 1 are here, its summary counted 1", "its levels counted 3"],
    ),
    "a call told twice": (
        "INSERT INTO calls (run_id, thread_id, socket_id, operation_id, outcome_id, started_ns, duration_ns)"
        " SELECT run_id, thread_id, socket_id, operation_id, outcome_id, started_ns, duration_ns FROM calls WHERE id = 5",
        ["6 calls were recorded, 7 are here"],
    ),
    "a count changed": ("UPDATE runs SET calls_recorded = 7 WHERE id = 1", ["7 calls were recorded, 6 are here"]),
    "a summary's count changed": (
        "UPDATE summaries SET calls = calls + 1 WHERE run_id = 1 AND operation_id = 18",
        ["1 close of process 1 are here, its summary counted 2", "2 close (ok) were counted, 1 are in their histogram"],
    ),
    "a summary's time changed": (
        "UPDATE summaries SET total_ns = total_ns + 1 WHERE run_id = 1 AND operation_id = 18",
        ["the close of process 1 took 9,000 ns, its summary says 9,001 ns"],
    ),
    "a histogram that is none": (
        "UPDATE summaries SET histogram = '{' WHERE run_id = 1", ["a histogram in its table summaries cannot be read"],
    ),
    "levels gone": ("DELETE FROM levels WHERE run_id = 1", ["3 short calls of thread 1 are here, its levels counted 0"]),
    "a level's time changed": (
        "UPDATE levels SET ns = ns + 5 WHERE run_id = 1 AND level = 7 AND class = 'moved'",
        ["the short calls of thread 1 took 49,000 ns, its levels say"],
    ),
    "a fold gone": ("DELETE FROM fold_parts", ["6,005 calls were recorded, 1,005 are here"]),
    "a reference to nothing": ("UPDATE calls SET site_id = 99 WHERE id = 1", ["1 rows of calls name rows of sites that are not there"]),
    "a level of no socket": (
        "UPDATE levels SET socket_id = socket_id + 90 WHERE socket_id <> 0", ["rows of levels name rows of sockets that are not there"],
    ),
    "calls lost": ("UPDATE runs SET calls_lost = 12 WHERE id = 1", ["12 calls happened and were not recorded"]),
    "a run without an end": (
        "UPDATE runs SET duration_ns = NULL, ended_by = NULL WHERE id = 1", ["not finished: the recorder died or is still running"],
    ),
    "an end taken away": (
        "UPDATE calls SET duration_ns = NULL, outcome_id = NULL WHERE id = 2",
        ["1 calls have no end, though their thread went on (first: call 2)"],
    ),
    "an outcome taken away": ("UPDATE calls SET outcome_id = NULL WHERE id = 2", ["1 calls have an end but no outcome"]),
    "an outcome without an end": ("UPDATE calls SET outcome_id = 1 WHERE id = 6", ["1 calls have an outcome but no end"]),
    "time running backwards": ("UPDATE calls SET duration_ns = -5 WHERE id = 3", ["1 calls begin before the run or end before they begin"]),
    "a time that is a word": ("UPDATE calls SET started_ns = 'noon' WHERE id = 3", ["1 calls have times that are no numbers"]),
    "a thread of another run": ("UPDATE calls SET thread_id = 2 WHERE id = 3", ["1 calls were made by threads that are not of this run"]),
    "a command that is no list": ("UPDATE runs SET command = 'python' WHERE id = 1", ["its command cannot be read"]),
    "a payload that grew": ("UPDATE payloads SET size = 1", ["2 payloads hold more bytes than their call moved"]),
    "a source that changed": (
        "INSERT INTO sources (file, sha256, text) VALUES ('/home/ada/server.py', 'abc', 'import os')",
        ["the stored text of /home/ada/server.py is not what was recorded"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERING)
def test_what_was_tampered_with_is_found_and_told(what: str, tmp_path: Path) -> None:
    sql, expected = TAMPERING[what]
    path = write_lab(tmp_path / "t.db")
    with sqlite3.connect(path) as connection:
        assert connection.execute(sql).rowcount > 0
    connection.close()
    found = _check(path)
    assert not found.whole
    texts = [finding.text for finding in found.findings if finding.wrong]
    for part in expected:
        assert any(part in text for text in texts), texts


def test_blind_spots_are_told_but_are_no_damage(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("only", blind_spots='["child 77 was started with python -I"]').finish(1 * S)
    found = _check(tmp_path / "t.db")
    assert found.whole
    assert [finding.text for finding in found.findings] == ["could not see: child 77 was started with python -I"]


def test_calls_that_never_returned_at_the_end_of_their_threads_are_in_order(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        listener = run.socket(3, "listener")
        for name in ("one", "two"):
            thread = run.thread(name)
            run.call(thread, "accept", listener, at_ns=1 * MS, duration_ns=30 * US)
            outer = run.call(thread, "sendall", listener, at_ns=2 * MS, duration_ns=None)
            run.call(thread, "send", listener, at_ns=3 * MS, duration_ns=10 * US, parent_id=outer, result=3)
        run.finish(1 * S)
    found = _check(tmp_path / "t.db")
    assert found.whole, found.findings


def test_pages_that_sqlite_finds_damaged_are_told(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'calls'").fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * page_bytes : (page - 1) * page_bytes + 8] = b"\xff" * 8
    path.write_bytes(content)
    found = _check(path)
    assert not found.whole
    assert any("SQLite" in finding.text or "damaged" in finding.text for finding in found.findings)


def test_one_run_can_be_checked_without_the_others(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET calls_lost = 1 WHERE id = 2")
    connection.close()
    with open_trace(path) as trace:
        assert check_trace(trace, trace.find_run("blocking")).whole
        assert not check_trace(trace, trace.find_run("nonblocking")).whole


def test_a_trace_still_in_two_files_is_told_to_be_kept_together(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "t.db")
    recording.run("only").finish(1 * S)
    recording.connection.execute("COMMIT")
    found = _check(tmp_path / "t.db")
    assert found.whole
    assert [finding.text for finding in found.findings] == ["its newest part stands in t.db-wal: keep the two together"]
    recording.connection.close()


def test_a_column_that_holds_what_it_cannot_hold_is_named(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE calls SET duration_ns = 0.5 WHERE id = 2")
        connection.execute("UPDATE exchanges SET sent_ns = ?", [2**61])
        connection.execute("ALTER TABLE samples DROP COLUMN rss_bytes")
        connection.execute("DROP TABLE links")
    connection.close()
    with open_trace(path) as trace:
        said = [finding.text for finding in check_trace(trace).findings if finding.wrong]
    assert "duration_ns of 1 row of calls is no time of a run" in said
    assert "sent_ns of 1 row of exchanges is no time of a run" in said
    assert "samples has no column rss_bytes" in said
    assert "the table links is missing" in said


def test_a_surprise_is_told_of_the_trace_where_it_is_the_traces_fault_and_is_ours_elsewhere(tmp_path: Path) -> None:
    path = write_lab(tmp_path / "t.db")
    with pytest.raises(ZeroDivisionError), open_trace(path) as trace:
        trace.runs()[0].calls_recorded // 0
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE threads SET native_id = 'x'")
    connection.close()
    with pytest.raises(TraceError, match="is damaged: native_id of 3 rows of threads is no number"), open_trace(path) as trace:
        trace.rows("SELECT native_id FROM threads")[0][0] // 2
