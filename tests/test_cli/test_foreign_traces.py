"""Traces that somebody prepared: what stands in them as SQL does not run when they are opened, and not when they are written to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine
from sockreel.tests.examples import write_lab
from sockreel.traces import TraceError, create_trace

TRIGGER = "CREATE TRIGGER evil AFTER {event} BEGIN UPDATE runs SET label = 'was here'; END"
RECORDER = '{"recorder": {"pid": 1, "started_ticks": 1, "boot": "another"}, "tapes": []}'
EVENTS = ("INSERT ON operations", "UPDATE ON runs", "DELETE ON clocks")


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A finished trace of two runs, to be written to."""
    return write_lab(tmp_path / "lab.db")


def _prepared(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


def _labels(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT label FROM runs ORDER BY id")]


@pytest.mark.parametrize("event", EVENTS)
def test_nothing_is_written_into_a_trace_in_which_that_would_run_something_else(event: str, lab: Path) -> None:
    before = _labels(_prepared(lab, TRIGGER.format(event=event)))
    with pytest.raises(TraceError, match="has a trigger, evil, that would run"):
        create_trace(lab, "append")
    assert _labels(lab) == before


def test_record_import_and_recover_refuse_it_in_one_line(lab: Path, tmp_path: Path, sockreel: CommandLine) -> None:
    assert sockreel("export", f"{lab}#blocking", "--format", "pcapng", "-o", tmp_path / "c.pcapng").status == 0
    _prepared(lab, TRIGGER.format(event=EVENTS[0]))
    assert "has a trigger" in sockreel("import", tmp_path / "c.pcapng", "--into", f"{lab}#blocking").failure
    said = sockreel("record", "-o", lab, "--append", "-c", "pass")
    assert said.status != 0
    assert "was here" not in _labels(lab)
    unfinished = f"UPDATE runs SET duration_ns = NULL, settings = '{RECORDER}' WHERE label = 'blocking'"
    _prepared(lab, "DROP TRIGGER evil", unfinished, TRIGGER.format(event=EVENTS[0]))
    said = sockreel("recover", lab)
    assert said.status == 1 and "has a trigger" in said.err


def test_a_stripped_trace_has_no_triggers(lab: Path, tmp_path: Path, sockreel: CommandLine) -> None:
    _prepared(lab, *(TRIGGER.format(event=event).replace("evil", f"evil{number}") for number, event in enumerate(EVENTS)))
    assert sockreel("strip", lab, "-o", tmp_path / "clean.db").status == 0
    with closing(sqlite3.connect(tmp_path / "clean.db")) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone() == (0,)
    assert _labels(tmp_path / "clean.db") == _labels(lab)
    create_trace(tmp_path / "clean.db", "append").close()


@pytest.mark.parametrize(
    "sql",
    ["SELECT length(hex(randomblob(300000000)))", "SELECT replace(hex(zeroblob(100000)), '0', hex(zeroblob(10000)))",
     "WITH c(x) AS (SELECT zeroblob(200000000)) SELECT length(a.x || b.x), length(b.x || c.x) FROM c a, c b, c"],
)  # fmt: skip
def test_a_query_that_would_take_all_memory_gets_one_line(sql: str, lab: Path, sockreel: CommandLine) -> None:
    said = sockreel("query", lab, sql)
    assert said.status == 1
    assert "too big" in said.err or "more memory than it may take" in said.err


@pytest.mark.parametrize("option", ["--call", "--socket", "--packet", "--lines"])
def test_a_number_that_no_trace_can_hold_is_wrong_use(option: str, lab: Path, sockreel: CommandLine) -> None:
    assert sockreel("packets", lab, option, str(2**63)).status == 2
    assert sockreel("packets", lab, option, str(2**63 - 2)).status == 0
