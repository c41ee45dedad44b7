"""Write one run into a trace: every statement that a recording needs.

Owns the INSERTs and UPDATEs. Knows columns, not tapes: slots come as flat tuples of numbers whose
order is given here, and small per-process numbers are turned into the file's ids by adding a base.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from .store import Run, TraceError, named_queries, translated_errors

if TYPE_CHECKING:
    from pathlib import Path

    import sqlite_utils

NOTHING = -(2**63)
# The columns of calls as the writer takes them: lists of the same length, or one number where all are the same, but for
# the ids. Zero or NOTHING (and -1 for a
# timeout) mean NULL where the trace has NULL; `parent` is already an id of the file.
CALL_COLUMNS = (
    "id", "thread", "socket", "operation", "outcome", "started_ns", "duration_ns", "asked", "result", "errno", "flags",
    "timeout_ns", "peer", "parent", "site", "ready_ns", "ready_source",
)  # fmt: skip
CallColumns = Mapping[str, "list[int] | int"]
Parameters = Sequence[Any] | Mapping[str, Any]
_BATCHES = (1024, 256, 64, 16, 4, 1)
_ACCEPT = 1


@dataclass(frozen=True)
class Bases:
    """What is added to a process' own numbers to make the file's ids, and the clock at the run's start."""

    thread: int
    socket: int
    site: int
    address: int
    signal: int
    start_ns: int


class RunWriter:
    """Writes one run. All of it happens in the transaction that `commit` ends.

    Args:
        path: of the trace, for messages.
        database: as `create_trace` returns it.

    `goes_on`: what is written goes on without the file. From the first statement that fails everything since the last
    commit is undone, and nothing more is written until `unmute`: nobody who writes is interrupted half way, and the
    file holds whole transactions. `trouble` then says why. Where it is False, such a statement raises `TraceError`.
    """

    def __init__(self, path: Path, database: sqlite_utils.Database) -> None:
        self.path = path
        self.database = database
        self.connection: sqlite3.Connection = database.conn
        self.run_id = 0
        self.muted = False
        self.goes_on = False
        self.trouble = ""
        self._owed: list[tuple[str, dict[str, Any]]] = []  # rows that the file does not have by the last commit

    def begin(self, **columns: Any) -> int:
        """Insert the row of the run.

        Returns:
            Its id.
        """
        self.run_id = self._insert("runs", columns)
        return self.run_id

    def has_label(self, label: str) -> bool:
        """Say whether a run of this label is in the file."""
        return bool(self.rows("SELECT 1 FROM runs WHERE label = ?", [label]))

    def forget(self) -> None:
        """Take the run out again: it never began."""
        self.roll_back()
        for table, name in (("clocks", "run_id"), ("runs", "id")):
            self.change(f"DELETE FROM {table} WHERE {name} = ?", [self.run_id])
        self.commit()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only writer from the first look to the commit."""
        with translated_errors(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.roll_back()
            raise
        self.commit()

    def row_of_run(self) -> Run:
        """Return the run's row as it stands now."""
        columns = [field.name for field in fields(Run)]
        with translated_errors(self.path):
            row = self.connection.execute(f"SELECT {', '.join(columns)} FROM runs WHERE id = ?", [self.run_id]).fetchone()
        return Run(**dict(zip(columns, row, strict=True)))

    def roll_back(self) -> None:
        """Undo everything since the last commit."""
        if self.connection.in_transaction:
            with translated_errors(self.path):
                self.connection.execute("ROLLBACK")

    def mute(self) -> None:
        """Undo what is not committed, and ignore what comes, until `unmute`: the file takes no more."""
        self.muted = True
        with contextlib.suppress(TraceError):
            self.roll_back()

    def unmute(self) -> None:
        """Write again."""
        self.muted, self.trouble = False, ""

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be muted by what fails in it, or raise.

        Raises:
            TraceError: the file cannot be written or read, and nothing goes on without it.
        """
        try:
            with translated_errors(self.path):
                yield
        except TraceError as error:
            if not self.goes_on:
                raise
            self.trouble = self.trouble or str(error)
            self.mute()

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Write something that the run can be without: all of it, or where it fails nothing.

        Raises:
            TraceError: it is not in the file.
        """
        if not self.commit():
            raise TraceError(f"{self.path}: {self.trouble or 'it takes no more'}")
        before, self.goes_on = self.goes_on, False
        try:
            yield
            self.commit()
        except BaseException:
            with contextlib.suppress(TraceError):
                self.roll_back()
            raise
        finally:
            self.goes_on = before

    def update_run(self, **columns: Any) -> None:
        """Change columns of the run's row."""
        self._update("runs", self.run_id, columns)

    def update(self, table: str, id_: int, **columns: Any) -> None:
        """Change columns of one row."""
        self._update(table, id_, columns)

    def insert(self, table: str, **columns: Any) -> int:
        """Insert one row and return its id."""
        return self._insert(table, columns)

    def insert_many(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows of a small table."""
        for row in rows:
            self._insert(table, row)

    def insert_surely(self, table: str, **columns: Any) -> None:
        """Insert a row now, or where that is undone or the file takes no more, when `write_owed` asks for it."""
        self._owed.append((table, columns))
        self._insert(table, columns)

    def write_owed(self) -> None:
        """Insert what `insert_surely` was given and the file does not have."""
        for table, columns in self._owed:
            self._insert(table, columns)

    def _insert(self, table: str, columns: Mapping[str, Any]) -> int:
        if self.muted:
            return 0
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        with self.writing():
            cursor = self._execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", list(columns.values()))
            return cursor.lastrowid or 0
        return 0

    def _update(self, table: str, id_: int, columns: Mapping[str, Any]) -> None:
        changes = ", ".join(f"{name} = ?" for name in columns)
        self.change(f"UPDATE {table} SET {changes} WHERE id = ?", [*columns.values(), id_])

    def _execute(self, sql: str, parameters: Parameters) -> sqlite3.Cursor:
        self._begin_transaction()
        try:
            return self.connection.execute(sql, parameters)
        except UnicodeEncodeError:  # bytes that are no UTF-8, in a UNIX socket's path, a file name, a command line
            assert not isinstance(parameters, Mapping)
            return self.connection.execute(sql, [_as_text(value) for value in parameters])

    def calls(self, columns: CallColumns, bases: Bases) -> None:
        """Insert finished calls.

        Args:
            columns: of all names of CALL_COLUMNS.
            bases: of their process.
        """
        if self.muted:
            return
        total, at = len(_ids(columns)), 0
        with self.writing():
            for size in _BATCHES:
                while total - at >= size:
                    self._insert_calls(columns, at, size, bases)
                    at += size

    def _insert_calls(self, columns: CallColumns, at: int, size: int, bases: Bases) -> None:
        # Most columns of most batches hold one value: those are bound once, not per row.
        varying, once, each = [], [], []
        for name in CALL_COLUMNS:
            values = columns[name]
            some = values[at : at + size] if isinstance(values, list) else [values]
            if size > 1 and (len(some) == 1 or some.count(some[0]) == size):
                once.append(some[0])
            else:
                varying.append(name)
                each.append(some)
        parameters = [*once, *chain.from_iterable(zip(*each, strict=True))]
        self._execute(_calls_statement(size, tuple(varying), self.run_id, bases), parameters)

    def open_call(self, columns: CallColumns, bases: Bases) -> None:
        """Insert one call that has not returned: what its return would tell is ignored."""
        self.calls(columns, bases)
        self.change("UPDATE calls SET duration_ns = NULL, outcome_id = NULL, result = NULL, errno = NULL WHERE id = ?", _ids(columns))

    def close_call(self, columns: CallColumns, bases: Bases) -> None:
        """Complete a call inserted by `open_call`."""
        self.change("DELETE FROM calls WHERE id = ?", _ids(columns))
        self.calls(columns, bases)

    def drop_calls(self, ids: Iterable[int]) -> None:
        """Take back calls: they are counted in a fold."""
        rows = [(id_,) for id_ in ids]
        if rows:
            self.change_many("DELETE FROM calls WHERE id = ?", rows)

    def fold_parts(self, rows: Iterable[tuple[int, int | None, int, int | None, int, int, int, int]]) -> None:
        """Write what folds hold by now: rows in the order of the table's columns."""
        self.change_many(
            "INSERT INTO fold_parts VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (fold_id, ifnull(socket_id, 0), operation_id, ifnull(site_id, 0)) DO UPDATE SET calls = excluded.calls,"
            " in_calls_ns = excluded.in_calls_ns, min_ns = excluded.min_ns, max_ns = excluded.max_ns",
            rows,
        )

    def payloads(self, rows: Iterable[tuple[int, int, bytes]]) -> None:
        """Insert payloads: (call id, bytes moved, the first of them)."""
        self.change_many("INSERT OR REPLACE INTO payloads (call_id, size, data) VALUES (?, ?, ?)", rows)

    def links(self, rows: Iterable[tuple[int, int, str]]) -> None:
        """Insert links: (from call id, to call id, kind)."""
        self.change_many("INSERT INTO links VALUES (?, ?, ?)", rows)

    def readiness(self, rows: Iterable[tuple[int, int, int | None, int | None]]) -> None:
        """Insert rows of `readiness`: (call id, socket id, interest, events)."""
        self.change_many("INSERT INTO readiness VALUES (?, ?, ?, ?)", rows)

    def signal_sockets(self, rows: Iterable[tuple[int, int]]) -> None:
        """Say on which sockets signals came: (signal id, socket id)."""
        self.change_many("UPDATE signals SET socket_id = ? WHERE id = ?", [(socket, id_) for id_, socket in rows])

    def levels(self, rows: Iterable[tuple[int, int, int, int, str, int, int, int, int, int]]) -> None:
        """Add rows of `levels`, without their run_id."""
        self.change_many(
            f"INSERT INTO levels VALUES ({self.run_id}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (run_id, level, bucket, thread_id, socket_id, class) DO UPDATE SET calls = calls + excluded.calls,"
            " ns = ns + excluded.ns, bytes = bytes + excluded.bytes,"
            " first_call_id = min(first_call_id, excluded.first_call_id), last_call_id = max(last_call_id, excluded.last_call_id)",
            rows,
        )

    def summaries(self, rows: Iterable[tuple[int, int, int | None, int, int, int | None, int | None, int, str]]) -> None:
        """Replace the run's rows of `summaries`, given without their run_id."""
        self.change("DELETE FROM summaries WHERE run_id = ?", [self.run_id])
        self.change_many(f"INSERT INTO summaries VALUES ({self.run_id}, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def forget_levels(self) -> None:
        """Take the run's rows of `levels` out, before they are made anew."""
        self.change("DELETE FROM levels WHERE run_id = ?", [self.run_id])

    def remember(self, kind: str, key: str, state: str) -> None:
        """Put down what `recover` needs, in the transaction of the rows it speaks of (see `recovery` in schema.sql)."""
        self.change("INSERT OR REPLACE INTO recovery (run_id, kind, key, state) VALUES (?, ?, ?, ?)", [self.run_id, kind, key, state])

    def remembered(self, kind: str) -> dict[str, str]:
        """Return what was put down: key -> state."""
        return dict(self.rows("SELECT key, state FROM recovery WHERE run_id = ? AND kind = ?", [self.run_id, kind]))

    def holds(self, table: str, id_: int) -> bool:
        """Say whether a row of that id is there."""
        return bool(self.rows(f"SELECT 1 FROM {table} WHERE id = ?", [id_]))

    def nothing_to_recover(self) -> None:
        """Drop what was put down: the run has ended."""
        self.change("DELETE FROM recovery WHERE run_id = ?", [self.run_id])

    def asked(self, query: str, **parameters: Any) -> list[Any]:
        """Run a query of `traces/queries/` on this run, what is not committed included."""
        return self.rows(named_queries()[query], {"run": self.run_id, **parameters})

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """Ask, what is not committed included; nothing is there while the file takes no more. For statements that stand in this room."""
        if not self.muted:
            with self.writing():
                return self.connection.execute(sql, parameters).fetchall()
        return []

    def change(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement, and return how many rows it changed. For statements that stand in this room."""
        if not self.muted:
            with self.writing():
                return self._execute(sql, parameters).rowcount
        return 0

    def change_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each row. For statements that stand in this room."""
        rows = list(rows)
        if rows and not self.muted:
            with self.writing():
                self._begin_transaction()
                self.connection.executemany(sql, rows)

    def _begin_transaction(self) -> None:
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN")

    def source(self, file: str, sha256: str, text: str) -> None:
        """Keep a program's text, once per file and content."""
        file = _as_text(file)
        if not self.rows("SELECT 1 FROM sources WHERE file = ? AND sha256 = ?", [file, sha256]):
            self._insert("sources", {"file": file, "sha256": sha256, "text": text})

    def highest_id(self, table: str) -> int:
        """Return the highest id of a table, 0 where it is empty."""
        return int((self.rows(f"SELECT ifnull(max(id), 0) FROM {table}") or [(0,)])[0][0])

    def file_bytes(self) -> int:
        """Return the size of the database so far."""
        with translated_errors(self.path):
            pages, size = (self.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return int(pages) * int(size)

    def shrink_log(self) -> None:
        """Take the write-ahead log into the file and give its space back, as far as readers let us."""
        with translated_errors(self.path):
            (patience_ms,) = self.connection.execute("PRAGMA busy_timeout").fetchone()
            self.connection.execute("PRAGMA busy_timeout=100")
            try:
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self.connection.execute(f"PRAGMA busy_timeout={patience_ms:d}")

    def commit(self) -> bool:
        """Make everything since the last time visible to readers, all of it or nothing.

        Returns:
            Whether the file has it: False only while it takes no more (`goes_on`).

        Raises:
            TraceError: it does not have it; the transaction stays open for `roll_back`.
        """
        if self.connection.in_transaction and not self.muted:
            with self.writing():
                self.connection.execute("COMMIT")
        if not self.muted:
            self._owed.clear()
        return not self.muted

    def finish(self) -> bool:
        """Leave one file: no write-ahead log beside it.

        Returns:
            False where somebody is reading the trace: it stays in WAL mode then, which is as readable.
        """
        self.commit()
        with translated_errors(self.path):
            self.connection.execute("PRAGMA busy_timeout=200")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            try:
                mode = self.connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
            except sqlite3.OperationalError:
                mode = "wal"
        return bool(mode == "delete")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


def _ids(columns: CallColumns) -> list[int]:
    ids = columns["id"]
    return ids if isinstance(ids, list) else [ids]


@lru_cache(maxsize=512)
def _calls_statement(rows: int, varying: tuple[str, ...], run_id: int, bases: Bases) -> str:
    """Return the INSERT for a number of calls: SQLite does the arithmetic, Python touches no row.

    Args:
        rows: how many.
        varying: columns bound per row, in the order of CALL_COLUMNS; the others are bound once, before them.
        run_id: of the run.
        bases: of the process.
    """
    mark = f"({', '.join('?' * len(varying))})"
    constants = [name for name in CALL_COLUMNS if name not in varying]
    column = {name: f"?{position}" for position, name in enumerate(constants, 1)}
    column |= {name: f"column{position}" for position, name in enumerate(varying, 1)}

    def based(name: str, base: int) -> str:
        return f"nullif({column[name]}, 0)" + (f" + {base}" if base else "")

    def known(name: str) -> str:
        return f"nullif({column[name]}, {NOTHING})"

    result = known("result")
    if bases.socket:
        result = f"CASE {column['operation']} WHEN {_ACCEPT} THEN {result} + {bases.socket} ELSE {result} END"
    return (
        "INSERT INTO calls (id, run_id, thread_id, socket_id, operation_id, outcome_id, started_ns, duration_ns, asked, result,"
        " errno, flags, timeout_ns, peer_id, parent_id, site_id, ready_ns, ready_source)"
        f" SELECT {column['id']}, {run_id}, {column['thread']} + {bases.thread}, {based('socket', bases.socket)},"
        f" {column['operation']}, nullif({column['outcome']}, 0), {column['started_ns']} - {bases.start_ns}, {column['duration_ns']},"
        f" {known('asked')}, {result}, nullif({column['errno']}, 0), nullif({column['flags']}, 0),"
        f" nullif({column['timeout_ns']}, -1), {based('peer', bases.address)}, nullif({column['parent']}, 0),"
        f" {based('site', bases.site)}, nullif({column['ready_ns']}, 0) - {bases.start_ns},"
        f" CASE {column['ready_source']} WHEN 1 THEN 'kernel' END"
        f" FROM (VALUES {', '.join([mark] * rows)})"
    )


def json_text(value: object) -> str:
    """Return a value as the JSON text that columns hold."""
    text = json.dumps(value, ensure_ascii=False)
    return text if _as_text(text) == text else json.dumps(value)


def _as_text(value: Any) -> Any:
    """Return a value that SQLite takes: a byte that is no UTF-8 is written as `\\xff`."""
    if not isinstance(value, str):
        return value
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a pair of surrogates, which no bytes stand for
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
