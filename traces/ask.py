"""Anybody's SQL on a trace, which it may read and nothing else.

Owns what a query may do, and the one clear line when it may not or cannot. Knows nothing of how
answers are printed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from typing import Any

from .store import Trace, TraceError, named_queries

# Numbers of sqlite3.h; the module names them from Python 3.11 on only.
_INSERT, _PRAGMA, _READ, _SELECT, _UPDATE, _FUNCTION, _RECURSIVE = 18, 19, 20, 21, 23, 31, 33
_ACTIONS = {
    1: "CREATE INDEX", 2: "CREATE TABLE", 3: "CREATE TEMP INDEX", 4: "CREATE TEMP TABLE", 5: "CREATE TEMP TRIGGER",
    6: "CREATE TEMP VIEW", 7: "CREATE TRIGGER", 8: "CREATE VIEW", 9: "DELETE", 10: "DROP INDEX", 11: "DROP TABLE",
    12: "DROP TEMP INDEX", 13: "DROP TEMP TABLE", 14: "DROP TEMP TRIGGER", 15: "DROP TEMP VIEW", 16: "DROP TRIGGER",
    17: "DROP VIEW", 18: "INSERT", 19: "PRAGMA", 22: "BEGIN or COMMIT", 23: "UPDATE", 24: "ATTACH", 25: "DETACH",
    26: "ALTER TABLE", 27: "REINDEX", 28: "ANALYZE", 29: "CREATE VIRTUAL TABLE", 30: "DROP VIRTUAL TABLE", 31: "function",
    32: "SAVEPOINT",
}  # fmt: skip
# Those that only tell. The second set also sets something when given a value.
_TELLING = frozenset({
    "collation_list", "compile_options", "database_list", "foreign_key_check", "foreign_key_list", "function_list", "index_info",
    "index_list", "index_xinfo", "integrity_check", "module_list", "pragma_list", "quick_check", "table_info", "table_list", "table_xinfo",
})  # fmt: skip
_TELLING_WITHOUT_VALUE = frozenset({
    "application_id", "data_version", "encoding", "freelist_count", "journal_mode", "page_count", "page_size", "schema_version",
    "user_version",
})  # fmt: skip
_FORBIDDEN_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit"})
_PARAMETER = re.compile(r"(?<![\w:]):([A-Za-z_]\w*)")
_LITERAL_OR_COMMENT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_STEPS_BETWEEN_LOOKS = 20_000
_MOST_MEMORY_BYTES = 512 << 20


@dataclass(frozen=True)
class NamedQuery:
    """A query with a name: what it answers, and what it asks for (bound to NULL where not given)."""

    name: str
    answers: str
    parameters: Sequence[str]
    sql: str


@dataclass(frozen=True)
class Answer:
    """The columns of a result, and its rows as they come."""

    columns: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


def list_queries() -> list[NamedQuery]:
    """Return the queries made for people (traces/questions/), by name."""
    folder = resources.files(__package__) / "questions"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [_named(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")) for file in files]


def _named(name: str, sql: str) -> NamedQuery:
    first = sql.lstrip().split("\n", 1)[0]
    return NamedQuery(name, first.removeprefix("--").strip() if first.startswith("--") else "", parameters_of(sql), sql)


def parameters_of(sql: str) -> list[str]:
    """Return the names of a query's parameters (`:name`), in order of first use."""
    return list(dict.fromkeys(_PARAMETER.findall(_LITERAL_OR_COMMENT.sub(" ", sql))))


def find_query(text: str) -> NamedQuery | None:
    """Return the query of that name, or None where the text is SQL.

    The queries that the rooms themselves use (traces/queries/) can be asked for, too.

    Raises:
        TraceError: it is a single word, and no query has that name.
    """
    if not re.fullmatch(r"\s*[\w-]+\s*", text):
        return None
    queries = {name: _named(name, sql) for name, sql in named_queries().items()}
    queries.update({query.name: query for query in list_queries()})
    name = text.strip().replace("-", "_")
    if name not in queries:
        near = get_close_matches(name, queries, 1, 0.5)
        raise TraceError(f"no query is named {text.strip()}{f'; did you mean {near[0]}?' if near else ''} (query --list names them)")
    return queries[name]


def ask(trace: Trace, sql: str, parameters: Mapping[str, Any] | None = None) -> Answer:
    """Run one query that can only read.

    Args:
        trace: what is asked.
        sql: one statement.
        parameters: values of its `:name`s; each must be there.

    Raises:
        TraceError: the query is wrong, wants to do more than read, or the file is damaged. While rows
            are taken, too.
        KeyboardInterrupt: Ctrl-C, also in the midst of SQLite's work.
    """
    parameters = parameters or {}
    missing = [name for name in parameters_of(sql) if name not in parameters]
    if missing:
        raise TraceError(f"the query asks for :{missing[0]}: give it with -p {missing[0]}=VALUE")
    watch = _Watch(sql)
    connection = trace.connection
    with _one_line(trace, watch):
        connection.execute("PRAGMA query_only=1")
        connection.execute("PRAGMA trusted_schema=0")
        connection.set_authorizer(watch.allow)
        # SQLite works without looking at signals: this lets Python see Ctrl-C, and stop it.
        connection.set_progress_handler(watch.look, _STEPS_BETWEEN_LOOKS)
        cursor = connection.cursor()
        cursor.row_factory = None
        cursor.execute(sql, dict(parameters))
    if cursor.description is None:
        raise TraceError("the query holds no question: give a SELECT, or a name of `query --list`")
    return Answer([column[0] for column in cursor.description], _rows(trace, cursor, watch))


def _rows(trace: Trace, cursor: sqlite3.Cursor, watch: _Watch) -> Iterator[tuple[Any, ...]]:
    with _one_line(trace, watch):
        for row in cursor:  # noqa: UP028  (yield from would close the cursor of a trace that may be closed by then)
            yield row


class _Watch:
    """What SQLite asks us while it works: may it, and is it to go on."""

    def __init__(self, sql: str) -> None:
        # DROP TABLE asks for leave to delete from a table of SQLite's own: the query's own word says it better.
        word = re.match(r"\s*(\w*)", _LITERAL_OR_COMMENT.sub(" ", sql))
        self._verb = word.group(1).upper() if word else ""
        self.refused: str | None = None
        self.interrupted = False

    def allow(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        name = (first or "").lower()
        if action in (_SELECT, _READ, _RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == _FUNCTION and (second or "").lower() not in _FORBIDDEN_FUNCTIONS:
            return sqlite3.SQLITE_OK
        if action in (_INSERT, _UPDATE) and name == "sqlite_master":
            # So SQLite describes a table-valued function to itself; it refuses such a statement of the query's own.
            return sqlite3.SQLITE_OK
        if action == _PRAGMA and (name in _TELLING or (name in _TELLING_WITHOUT_VALUE and second is None)):
            return sqlite3.SQLITE_OK
        if action in (_PRAGMA, _FUNCTION):
            what = f"{_ACTIONS[action]} {first if action == _PRAGMA else second}"
        else:
            what = _ACTIONS.get(action, f"action {action}") if self._verb in ("", "SELECT", "WITH", "EXPLAIN") else self._verb
        self.refused = self.refused or what
        return sqlite3.SQLITE_DENY

    def look(self) -> int:
        try:
            for _ in range(2):  # Python looks for signals when it jumps back.
                pass
        except KeyboardInterrupt:
            self.interrupted = True
        return self.interrupted


def bound_memory(trace: Trace) -> None:
    """Let queries take no more than 512 MB, however they are written. This holds for all of SQLite in this process, for good."""
    trace.rows(f"PRAGMA hard_heap_limit={_MOST_MEMORY_BYTES}")


@contextmanager
def _one_line(trace: Trace, watch: _Watch) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise TraceError("the query needs more memory than it may take: ask for less at a time") from error
    except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
        text = str(error)
        if watch.interrupted or text == "interrupted":
            raise KeyboardInterrupt from error
        if watch.refused:
            raise TraceError(f"query only reads a trace: {watch.refused} is refused") from error
        if isinstance(error, UnicodeDecodeError) or "malformed" in text or "not a database" in text or "disk I/O" in text:
            raise TraceError(f"{trace.path} is damaged or cut short ({text}); `sockreel check` says how far it is whole") from error
        if "one statement" in text:
            raise TraceError("one query at a time, please") from error
        raise TraceError(f"the query is wrong: {text}") from error
