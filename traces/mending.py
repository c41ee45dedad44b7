"""A trace that took no more, or whose recorder died, agreed with itself again: no row names another that is not there.

Owns which rows refer to which (it asks the schema) and what becomes of those whose other end never came. Notes are read
ahead of calls, calls before those they were made inside, sockets before those they are copies of: where the recording
breaks off in between, one of the two is missing.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache

from .store import schema_text
from .writer import RunWriter

_AHEAD = ("readiness", "payloads", "links")  # tables whose rows may come long before their calls
_TOGETHER = 2_000  # of them, looked at between two commits


@dataclass(frozen=True)
class Reference:
    """A column that names rows of another table."""

    table: str
    column: str
    parent: str
    required: bool


@lru_cache(maxsize=1)
def references_of_format() -> tuple[Reference, ...]:
    """Return the references that the schema declares, a table's own behind those of the tables that it names."""
    found = []
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(schema_text())
        for (table,) in empty.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid").fetchall():
            columns = {row[1]: bool(row[3] or row[5]) for row in empty.execute(f"PRAGMA table_info({table})")}
            keys = empty.execute(f"PRAGMA foreign_key_list({table})").fetchall()
            found += [Reference(table, key[3], key[2], columns[key[3]]) for key in reversed(keys)]
    return tuple(found)


def mend_references(writer: RunWriter, in_steps: Callable[[], object] | None = None) -> None:
    """Take out names of rows that are not there, and rows that mean nothing without.

    Args:
        writer: of the run that broke off.
        in_steps: commits; called every now and then, where there may be no room for all of it in one transaction.
    """
    by_table: dict[str, list[Reference]] = defaultdict(list)
    for reference in references_of_format():
        by_table[reference.table].append(reference)
    for table, references in by_table.items():
        if any(reference.required for reference in references):
            _delete(writer, table, _any_missing([reference for reference in references if reference.required]), in_steps)
        loose = [reference for reference in references if not reference.required]
        if loose:
            kept = ", ".join(f"{one.column} = CASE WHEN {_missing(one)} THEN NULL ELSE {one.column} END" for one in loose)
            writer.change(f"UPDATE {table} SET {kept} WHERE {_any_missing(loose)}")
    # Declared nowhere: 0 stands for all sockets; of an accept the result is a socket.
    writer.change("DELETE FROM levels WHERE socket_id <> 0 AND NOT EXISTS (SELECT 1 FROM sockets WHERE sockets.id = levels.socket_id)")
    accept = "operation_id = (SELECT id FROM operations WHERE name = 'accept') AND outcome_id = (SELECT id FROM outcomes WHERE name = 'ok')"
    gone = "result IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sockets WHERE sockets.id = calls.result)"
    writer.change(f"UPDATE calls SET result = NULL WHERE {accept} AND {gone}")


def _missing(one: Reference) -> str:
    there = f"EXISTS (SELECT 1 FROM {one.parent} there WHERE there.id = {one.table}.{one.column})"
    return f"({one.table}.{one.column} IS NOT NULL AND NOT {there})"


def _any_missing(references: Iterable[Reference]) -> str:
    return f"({' OR '.join(map(_missing, references))})"


def _delete(writer: RunWriter, table: str, condition: str, in_steps: Callable[[], object] | None) -> None:
    statement = f"DELETE FROM {table} WHERE {condition}"
    if in_steps is None or table not in _AHEAD:
        writer.change(statement)
        return
    for first, last in writer.rows(f"SELECT min(rowid), max(rowid) FROM {table} HAVING count(*) > 0"):
        for at in range(first, last + 1, _TOGETHER):
            if writer.change(f"{statement} AND rowid BETWEEN ? AND ?", [at, at + _TOGETHER - 1]):
                in_steps()


def mend_threads(writer: RunWriter, owner_of: Callable[[int], int | None]) -> None:
    """Give a row to threads that made calls, and of which nobody told.

    Args:
        owner_of: function(id of a thread) -> id of its process, None where nobody knows.
    """
    question = "SELECT DISTINCT thread_id FROM calls WHERE run_id = ? AND thread_id NOT IN (SELECT id FROM threads)"
    for (thread,) in writer.rows(question, [writer.run_id]):
        process = owner_of(thread)
        if process is not None:
            writer.insert("threads", id=thread, process_id=process)


def unfinished_calls(writer: RunWriter) -> list[tuple[int, int, int]]:
    """Return how many of a run's calls stand open in the file: (process id, operation id, calls)."""
    question = (
        "SELECT t.process_id, c.operation_id, count(*) FROM calls c JOIN threads t ON t.id = c.thread_id WHERE c.run_id = ?"
        " AND (c.duration_ns >= 8000000 OR c.duration_ns IS NULL) AND c.duration_ns IS NULL GROUP BY 1, 2"
    )
    return [(process, operation, calls) for process, operation, calls in writer.rows(question, [writer.run_id])]


def mend_signals(writer: RunWriter) -> None:
    """Drop the names of calls that signals came in and that never became rows."""
    gone = "during_call_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = signals.during_call_id)"
    writer.change(f"UPDATE signals SET during_call_id = NULL WHERE run_id = ? AND {gone}", [writer.run_id])
