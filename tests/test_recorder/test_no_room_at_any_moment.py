"""A trace that takes no more from any one statement on: it holds whole transactions, and its end agrees with them.

The disk is not filled here: the n-th statement that writes fails as SQLite lets it fail on a full disk, for each n. What a
disk does that really is full stands in test_shortage.py.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder import session
from sockreel.recorder.launching import place
from sockreel.recorder.launching.launch import Command
from sockreel.recorder.launching.place import reserve_of
from sockreel.recorder.recover import recover
from sockreel.recorder.settings import Result, Settings
from sockreel.traces import store
from sockreel.traces.mending import references_of_format
from sockreel.traces.recovery import this_recorder

from .recording import PROGRAMS, flaws, query

PROGRAM = PROGRAMS / "of_every_kind.py"
_READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN|WITH|--|ROLLBACK)", re.IGNORECASE)


@dataclass
class Fault:
    """Which statements that write fail, counted from 1 once the program has been started.

    Args:
        first: the first of them.
        undoes: whether SQLite takes the transaction back before it says so, as it does now and then.
        until_room: whether all later ones fail, too, until the reserve is given back.
        again: of those behind the reserve, the first that fails; 0: none.
        for_ever: whether all later ones fail.
    """

    first: int
    undoes: bool = False
    until_room: bool = False
    again: int = 0
    for_ever: bool = False
    trace: Path = Path()
    armed: bool = False
    written: int = field(default=0, init=False)
    with_room: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)

    def strikes(self) -> bool:
        """Take in that something is to be written, and say whether it fails."""
        if not self.armed:
            return False
        self.written += 1
        has_room = not reserve_of(self.trace).exists()
        self.with_room += has_room and self.failed > 0
        found = (
            self.written == self.first
            or (self.written > self.first and (self.for_ever or (self.until_room and not has_room)))
            or (has_room and self.again > 0 and self.with_room >= self.again)
        )
        self.failed += found
        return found


def failing_connection(fault: Fault) -> type[sqlite3.Connection]:
    """Return a kind of connection that fails as told, and opens a real file otherwise."""

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            self._fail(sql)
            return super().execute(sql, *parameters)

        def executemany(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            self._fail(sql)
            return super().executemany(sql, *parameters)

        def _fail(self, sql: str) -> None:
            fault.armed = fault.armed or "INTO processes" in sql  # the first that comes of the program
            if not _READS.match(sql) and fault.strikes():
                if fault.undoes and self.in_transaction:
                    super().execute("ROLLBACK")
                raise sqlite3.OperationalError("database or disk is full")

    return Failing


def recorded(folder: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Result:
    """Record the program, with a trace that fails as told."""
    fault.trace = folder / "t.db"
    real, kind = sqlite3.connect, failing_connection(fault)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *where, **options: real(*where, **{"factory": kind, **options}))
        said: list[str] = []
        return session.record(Command((sys.executable, str(PROGRAM)), "t"), Settings(fault.trace, **settings), said.append)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """How many calls the program makes, and how many statements it takes to write them."""
    fault = Fault(0)
    with pytest.MonkeyPatch.context() as patch:
        result = recorded(tmp_path_factory.mktemp("whole"), fault, patch)
    assert result.lost == 0 and flaws(fault.trace) == []
    assert fault.written > 100
    return result.calls, fault.written


def assert_whole_but_for_what_is_lost(trace: Path, calls: int) -> None:
    """Compare a trace with itself, and with how many calls there were."""
    run = query(trace, "SELECT * FROM runs")[0]
    lost = run["calls_lost"]
    assert run["calls_recorded"] + lost == calls
    assert flaws(trace) == ([f"{lost:,} calls happened and were not recorded"] if lost else [])
    assert run["exit_status"] == 0 and run["ended_by"] == "exit" and run["python"]
    assert query(trace, "SELECT * FROM recovery") == []


SAMPLED = [*range(1, 14), *range(17, 200, 13)]
MORE = [pytest.param(n, marks=pytest.mark.slow) for n in range(14, 220, 15) if n not in SAMPLED]  # an odd step: each way in turn
WAYS: dict[str, dict[str, Any]] = {
    "once": {},
    "undone": {"undoes": True},
    "until there is room": {"until_room": True},
    "undone until there is room": {"until_room": True, "undoes": True},
}


@pytest.mark.parametrize("first", [*SAMPLED, *MORE])
def test_whichever_statement_fails_first_the_trace_agrees_with_itself(
    tmp_path: Path, made: tuple[int, int], first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = list(WAYS)[first % len(WAYS)]
    fault = Fault(first, **WAYS[way])
    result = recorded(tmp_path, fault, monkeypatch)
    assert fault.failed or fault.written < first
    assert_whole_but_for_what_is_lost(fault.trace, made[0])
    if fault.failed:
        assert any("database or disk is full" in complaint for complaint in result.complaints)
    assert [found.name for found in tmp_path.iterdir()] == ["t.db"]


def test_every_reference_is_to_a_table_that_stands_before_it() -> None:
    order = list(store.tables_of_format())
    assert len(references_of_format()) > 30
    for one in references_of_format():
        own = one.parent == one.table and not one.required
        assert own or order.index(one.parent) < order.index(one.table), one


@pytest.mark.parametrize("again", [1, 2, 3, 4, 6, 9, 12, 16, 20, 25])
def test_a_trace_that_takes_not_even_its_end_is_whole_once_it_is_recovered(
    tmp_path: Path, made: tuple[int, int], again: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the recorder were another process, which is gone by the time of the recovery.
    monkeypatch.setattr(place, "this_recorder", lambda: {**this_recorder(), "started_ticks": 1})
    fault = Fault(made[1] // 2, again=again, for_ever=again == 1)
    result = recorded(tmp_path, fault, monkeypatch)
    assert fault.failed
    run = query(fault.trace, "SELECT * FROM runs")[0]
    if run["duration_ns"] is not None:  # there was room for all of it before that many statements
        assert_whole_but_for_what_is_lost(fault.trace, made[0])
        return
    assert any("sockreel recover" in complaint for complaint in result.complaints)
    recover(fault.trace, None, True, lambda line: None)
    run = query(fault.trace, "SELECT * FROM runs")[0]
    assert run["calls_recorded"] + run["calls_lost"] <= made[0]
    lost = [f"{run['calls_lost']:,} calls happened and were not recorded"] if run["calls_lost"] else []
    assert flaws(fault.trace) == lost
    assert query(fault.trace, "SELECT * FROM recovery") == []
