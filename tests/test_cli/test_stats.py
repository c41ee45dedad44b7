"""`sockreel stats`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine
from sockreel.tests.examples import FOLDED, SPINNING, write_lab
from sockreel.tests.synthetic import MS, US, Recording, S


def test_every_operation_and_outcome_is_counted_timed_and_added_up(lab: Path, sockreel: CommandLine) -> None:
    found = sockreel("stats", f"{lab}#nonblocking", "--json").json
    rows = {(row["operation"], row["outcome"]): row for row in found["rows"]}
    spin = rows["accept", "would_block"]
    assert (spin["calls"], spin["total_ns"]) == (SPINNING + FOLDED, SPINNING * 3 * US + FOLDED * 1 * US)
    assert (spin["min_ns"], spin["max_ns"], spin["bytes"]) == (1 * US, 3 * US, 0)
    assert abs(spin["median_ns"] - 1 * US) <= 0.04 * US
    assert abs(spin["p99_ns"] - 3 * US) <= 0.12 * US
    assert (rows["recv", "ok"]["bytes"], rows["send", "ok"]["bytes"]) == (6, 6)
    assert found["total"]["calls"] == sum(row["calls"] for row in rows.values()) == SPINNING + FOLDED + 5
    assert found["total"]["total_ns"] == sum(row["total_ns"] for row in rows.values())
    assert found["fruitless_calls"] == SPINNING + FOLDED + 1
    assert found["fruitless_share"] == pytest.approx((SPINNING + FOLDED + 1) / (SPINNING + FOLDED + 5))


def test_the_table_says_what_did_nothing_what_it_cost_and_what_never_returned(lab: Path, sockreel: CommandLine) -> None:
    blocking = sockreel("stats", f"{lab}#blocking").out
    assert "fruitless   0 of 6 calls" in blocking
    assert "CPU         31.0 ms, 1.6 % of one processor\n" in blocking
    assert "user 10.0 ms, system 20.0 ms (counted in steps of 10 ms)" in blocking
    assert "memory      12.3 MB at most" in blocking
    assert "unfinished  1 call had not returned at the end:" in blocking
    assert "accept on fd 3 (127.0.0.1:8000) in Main\\x1bThread, since 1.97 s, /home/ada/server.py:12" in blocking
    nonblocking = sockreel("stats", f"{lab}#nonblocking").out
    assert f"fruitless   {SPINNING + FOLDED + 1:,} of {SPINNING + FOLDED + 5:,} calls (>99.9 %) came back with nothing" in nonblocking
    assert "unfinished" not in nonblocking


def test_only_the_sums_and_a_few_calls_are_read_so_ten_million_calls_take_no_longer(tmp_path: Path, sockreel: CommandLine) -> None:
    path = write_lab(tmp_path / "t.db")
    before = sockreel("stats", f"{path}#nonblocking").out.splitlines()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA foreign_keys = 0")
        named = "SELECT first_call_id FROM levels WHERE level = 7 UNION SELECT last_call_id FROM levels WHERE level = 7"
        gone = connection.execute(f"DELETE FROM calls WHERE run_id = 2 AND duration_ns < 8000000 AND id NOT IN ({named})").rowcount
        assert gone > SPINNING - 20
    connection.close()
    after = sockreel("stats", f"{path}#nonblocking").out.splitlines()
    # How fast it polled is told from calls in a row.
    assert [line for line in after if "polling" not in line] == [line for line in before if "polling" not in line]
    assert len(after) == len(before)


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("time", "total_ns"),
        ("calls", "calls"),
        ("min", "min_ns"),
        ("median", "median_ns"),
        ("p99", "p99_ns"),
        ("max", "max_ns"),
        ("bytes", "bytes"),
    ],
)
def test_rows_are_sorted_by_the_column_asked_for_largest_first(key: str, column: str, lab: Path, sockreel: CommandLine) -> None:
    run = "nonblocking" if key == "calls" else "blocking"
    values = [row[column] for row in sockreel("stats", f"{lab}#{run}", "--sort", key, "--json").json["rows"]]
    known = [value for value in values if value is not None]
    assert len(set(known)) > 1
    assert known == sorted(known, reverse=True)
    assert values[: len(known)] == known


def test_words_are_sorted_rising(lab: Path, sockreel: CommandLine) -> None:
    names = [row["operation"] for row in sockreel("stats", f"{lab}#blocking", "--sort", "operation", "--json").json["rows"]]
    assert names == sorted(names) == ["accept", "accept", "close", "recv", "recv", "sendall"]


def test_processes_can_be_kept_apart(lab: Path, sockreel: CommandLine) -> None:
    found = sockreel("stats", lab, "--by", "process", "--json").json
    assert {(row["pid"], row["operation"], row["outcome"]) for row in found["rows"] if row["operation"] == "recv"} == {
        (4242, "recv", "would_block"), (4242, "recv", "ok"), (4243, "recv", "eof"),
    }  # fmt: skip
    assert found["processes"] == [{"pid": 4243, "run_ns": None, "user_ns": 500 * MS, "system_ns": 300 * MS, "rss_bytes": None}]
    assert found["cpu_ns"] == 800 * MS
    assert "pid" in sockreel("stats", lab, "--by", "process").out.splitlines()[2]


def test_waits_with_timeout_0_that_found_nothing_count_as_fruitless(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread = run.thread()
        for n in range(10):
            run.call(thread, "poll", at_ns=n * MS, outcome="timeout", result=0, timeout_ns=0)
        run.call(thread, "poll", at_ns=20 * MS, duration_ns=9 * MS, outcome="timeout", result=0, timeout_ns=0)
        run.call(thread, "poll", at_ns=30 * MS, duration_ns=50 * MS, outcome="timeout", result=0, timeout_ns=50 * MS)
        run.call(thread, "poll", at_ns=90 * MS, result=1, timeout_ns=0)
        run.finish(1 * S)
    assert sockreel("stats", tmp_path / "t.db", "--json").json["fruitless_calls"] == 11


def test_a_run_without_calls_says_so(tmp_path: Path, sockreel: CommandLine) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("idle", calls_lost=3).finish(0)
    said = sockreel("stats", tmp_path / "t.db")
    assert said.status == 0
    assert "no socket call was recorded" in said.out
    assert "3 calls happened and could not be recorded" in said.out
    assert sockreel("stats", tmp_path / "t.db", "--json").json["total"]["calls"] == 0


def test_a_histogram_that_is_none_gets_one_line(tmp_path: Path, sockreel: CommandLine) -> None:
    path = write_lab(tmp_path / "t.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE summaries SET histogram = '[1, 2]'")
    connection.close()
    assert "is damaged: a histogram" in sockreel("stats", path).failure


def test_the_table_fits_into_80_columns(lab: Path, sockreel: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = sockreel("stats", f"{lab}#nonblocking").out.splitlines()
    assert max(len(line) for line in lines if "at the end" not in line) <= 80
    assert len(lines) > 8


def _phased(path: Path) -> Path:
    with Recording(path) as recording:
        run = recording.run()
        thread, socket = run.thread(), run.socket(4)
        run.call(thread, "recv", socket, at_ns=1 * MS, duration_ns=50 * MS + 40 * US, result=5, ready_ns=51 * MS, ready_source="kernel")
        run.call(thread, "recv", socket, at_ns=200 * MS, duration_ns=20 * US, result=5, ready_ns=150 * MS, ready_source="kernel")
        run.call(thread, "recv", socket, at_ns=300 * MS, duration_ns=20 * US, result=5)
        run.finish(1 * S)
    return path


def test_phases_are_added_up_where_they_are_known_and_said_to_be_unknown_where_not(tmp_path: Path, sockreel: CommandLine) -> None:
    path = _phased(tmp_path / "t.db")
    known, unknown = sockreel("stats", path, "--phases", "--json").json["phases"]
    assert known == {
        "operation": "recv", "source": "kernel", "calls": 2, "total_ns": 50 * MS + 60 * US, "wait_ns": 50 * MS, "longest_wait_ns": 50 * MS,
        "copy_ns": 60 * US, "lay_there": 1, "longest_sat_ns": 50 * MS,
    }  # fmt: skip
    assert (unknown["source"], unknown["calls"], unknown["wait_ns"], unknown["lay_there"]) == (None, 1, None, 0)
    page = sockreel("stats", path, "--phases").out
    assert "of 1 receive it is not known when the data was ready" in page
    assert " ".join(page.split()).count("recv kernel 2 50.0 ms 50.0 ms 60.0 µs 30.0 µs 1 50.0 ms") == 1
    assert "phases" not in sockreel("stats", path, "--json").json


def test_without_any_ready_time_the_way_to_get_them_is_told(lab: Path, sockreel: CommandLine) -> None:
    assert "record with --kernel-times" in sockreel("stats", f"{lab}#nonblocking", "--phases").out
