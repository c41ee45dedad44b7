"""Open, check and create trace files.

Owns the file: its format version, who may read or write it, and the one clear line for every way
in which a file can be no trace. Knows the schema, not what a call means.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from glob import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import SockreelError

if TYPE_CHECKING:
    import sqlite_utils

FORMAT_VERSION = 1
APPLICATION_ID = 0x534B524C  # "SKRL", shown by file(1) and PRAGMA application_id
_HEADER = b"SQLite format 3\x00"
SAMPLES = Path(__file__).parent / "samples"
"""Where the traces are that come with sockreel. They are only read."""
# Of one value, also of what a column or a query would compute.
_LIMIT_LENGTH, _LONGEST_VALUE_BYTES = 0, 256 << 20  # SQLITE_LIMIT_LENGTH
# What code meets that reckons with a row as the schema promises it, where the row is not so.
SURPRISES = (ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError,
              struct.error)


class TraceError(SockreelError):
    """A file that is no trace, or a run that is not in it: one line, with what to do."""


@dataclass(frozen=True)
class Run:
    """One row of `runs`: the recording of one program. Times in nanoseconds, see schema.sql."""

    id: int
    label: str | None
    model: str | None
    command: str
    directory: str | None
    python: str | None
    core: str | None
    host: str | None
    kernel: str | None
    started_at: str
    duration_ns: int | None
    exit_status: int | None
    ended_by: str | None
    recorder_version: str
    call_cost_ns: int | None
    calls_recorded: int
    calls_lost: int
    packets_captured: int | None
    packets_lost: int | None
    blind_spots: str
    settings: str

    @property
    def name(self) -> str:
        """What people call it: its label, else `run ID`."""
        return self.label or f"run {self.id}"


class Trace:
    """A trace opened for reading only.

    Use `open_trace`, and close it (it is a context manager). Every sqlite3 error that its methods
    meet becomes a `TraceError`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        """Close the file. What rows that nobody could have recorded led to is said of the trace, where it is the trace's fault."""
        try:
            # Of a generator that met an unforeseen StopIteration Python makes a RuntimeError.
            if isinstance(error, SURPRISES) or isinstance(error and error.__cause__, StopIteration):
                from .checking import first_wrong

                found = first_wrong(self)
                if found is not None:
                    raise TraceError(f"{self.path} is damaged: {found}; `sockreel check` says how far it is whole") from error
        finally:
            self.close()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def rows(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Run one query and return all its rows (index by position or column name).

        Raises:
            TraceError: the file cannot be read to its end, or the query is wrong.
        """
        with translated_errors(self.path):
            return self.connection.execute(sql, parameters).fetchall()

    def iterate(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Iterator[sqlite3.Row]:
        """Run one query and yield its rows one by one, in constant memory.

        Raises:
            TraceError: as `rows`.
        """
        with translated_errors(self.path):
            # `yield from` would close the cursor of a trace that may be closed by then.
            for row in self.connection.execute(sql, parameters):  # noqa: UP028
                yield row

    def named(self, name: str, **parameters: Any) -> list[sqlite3.Row]:
        """Run a query of `traces/queries/` by name."""
        return self.rows(named_queries()[name], parameters)

    def runs(self) -> list[Run]:
        """Return every run, oldest first."""
        columns = ", ".join(field.name for field in fields(Run))
        runs = [Run(**dict(row)) for row in self.rows(f"SELECT {columns} FROM runs ORDER BY id")]
        for run in runs:
            for field in fields(Run):
                # SQLite keeps whatever it is given; a damaged file must not surprise those who reckon with it.
                value, text = getattr(run, field.name), "str" in str(field.type)
                if not isinstance(value, str if text else int) and not (value is None and "None" in str(field.type)):
                    raise TraceError(f"{self.path} is damaged: {field.name} of run {run.id} is {value!r:.40}")
        return runs

    def find_run(self, selector: str | None = None) -> Run:
        """Return the run that a reference names.

        Args:
            selector: label or id; None means the only or last run.

        Raises:
            TraceError: no such run, or no run at all.
        """
        runs = self.runs()
        if not runs:
            raise TraceError(f"{self.path} holds no run: nothing was recorded into it")
        if selector is None:
            return runs[-1]
        found = [run for run in runs if run.label == selector] or [run for run in runs if str(run.id) == selector]
        if not found:
            names = ", ".join(f"#{run.label or run.id}" for run in runs[:12])
            more = f" and {len(runs) - 12} more" if len(runs) > 12 else ""
            raise TraceError(f"no run #{selector} in {self.path}; it holds {names}{more}")
        return found[-1]


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turn every sqlite3 error on a file into one clear `TraceError`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise TraceError(f"{path}: {error}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # The latter: SQLite's own message quotes junk.
        raise TraceError(f"{path} is damaged or cut short ({error}); `sockreel check` says how far it is whole") from error


def open_trace(path: str | os.PathLike[str]) -> Trace:
    """Open a trace for reading; never writes to it, and never creates it.

    Raises:
        TraceError: missing, empty, not SQLite, not a trace, cut short, of a newer version, unreadable.
    """
    path = Path(path)
    _check_header(path)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with translated_errors(path):
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
    trace = Trace(path, connection)
    try:
        with translated_errors(path):
            connection.row_factory = sqlite3.Row
            # Text that is not UTF-8 is shown as well as it can be.
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")
            application, version = (connection.execute(f"PRAGMA {key}").fetchone()[0] for key in ("application_id", "user_version"))
            connection.execute("PRAGMA trusted_schema=0")
            if hasattr(connection, "setlimit"):  # Python 3.11
                connection.setlimit(_LIMIT_LENGTH, _LONGEST_VALUE_BYTES)
            kinds = {row[0]: f"{row[1]} {row[2]}" for row in connection.execute("SELECT name, type, sql FROM sqlite_master")}
        if application != APPLICATION_ID:
            raise TraceError(f"{path} is an SQLite file, but not a sockreel trace")
        if version > FORMAT_VERSION:
            raise TraceError(f"{path} is a trace of format {version}; this sockreel reads up to {FORMAT_VERSION}: install a newer one")
        if "runs" not in kinds or "calls" not in kinds:
            raise TraceError(f"{path} is a damaged trace: its tables are missing")
        posing = [table for table in tables_of_format() if not kinds.get(table, "table CREATE TABLE").startswith("table CREATE TABLE")]
        if posing:
            raise TraceError(f"{path} is no trace of ours: its {posing[0]} is no table")
        with translated_errors(path):
            # Our own views, whatever the file holds under their names.
            connection.executescript(_sql("views.sql").replace("CREATE VIEW", "CREATE TEMP VIEW"))
    except BaseException:
        connection.close()
        raise
    return trace


def create_trace(path: str | os.PathLike[str], existing: Literal["refuse", "append", "replace"] = "refuse") -> sqlite_utils.Database:
    """Create a trace, or open one to append a run. In WAL mode, so that others read while we write.

    Args:
        path: the file; created with mode 0600.
        existing: what to do where the file exists.

    Raises:
        TraceError: it exists and may not, or cannot be written.
    """
    import sqlite_utils

    path = Path(path)
    if path.absolute().parent == SAMPLES:
        raise TraceError(f"{path.name} came with sockreel and is only read: copy {path.absolute()} and write to the copy")
    is_new = not (path.exists() and existing == "append")
    if is_new:
        _create_empty(path, replace=existing == "replace")
    else:
        with open_trace(path) as trace:
            _refuse_triggers(trace)
    with translated_errors(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA trusted_schema=0")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                connection.executescript(f"BEGIN; {_sql('schema.sql')}\n{_sql('views.sql')}\n"
                                         f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT_VERSION}; COMMIT;")
            connection.executescript(f"BEGIN; {_sql('words.sql')} COMMIT;")
        except BaseException:
            connection.close()
            if is_new:
                remove_trace(path)  # no room for it: what there is of it is no trace
            raise
    return sqlite_utils.Database(connection)


def _refuse_triggers(trace: Trace) -> None:
    """Refuse to write where what somebody else put into the file would run with every row."""
    found = trace.rows("SELECT name FROM sqlite_master WHERE type = 'trigger' LIMIT 1")
    if found:
        raise TraceError(f"{trace.path} has a trigger, {found[0][0]!s:.80}, that would run with what is written: nothing is; "
                         "`sockreel strip -o FILE` writes a trace without it (and without payloads)")


def _create_empty(path: Path, replace: bool) -> None:
    if replace:
        remove_trace(path)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        raise TraceError(f"{path} exists: add to it with --append, or write over it with --force") from None
    except OSError as error:
        raise TraceError(f"cannot create {path}: {error.strerror}") from error


def remove_trace(path: Path) -> None:
    """Remove a trace with what SQLite and a recorder may have left beside it."""
    for ending in ("", "-wal", "-shm", "-journal", "-reserve"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    for left in path.parent.glob(f"{escape(path.name)}-packets-*"):
        left.unlink(missing_ok=True)


def _check_header(path: Path) -> None:
    """Say what is wrong with a file before SQLite does, in our words."""
    try:
        # Opening a pipe would wait for whoever writes into it.
        if not stat.S_ISREG(kind := os.stat(path).st_mode) and not stat.S_ISDIR(kind):
            raise TraceError(f"{path} is no file, but a pipe or a device: a trace is read here and there, not from its start to its end")
        with path.open("rb") as file:
            header = file.read(100)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise TraceError(f"no such file: {path}; `sockreel record -o FILE` makes a trace, `sockreel runs --sample` lists some") from None
    except IsADirectoryError:
        raise TraceError(f"{path} is a folder: name the trace in it") from None
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror}") from error
    if not size:
        raise TraceError(f"{path} is empty: not a sockreel trace")
    if not header.startswith(_HEADER):
        raise TraceError(f"{path} is not a sockreel trace")
    if len(header) < 100:
        raise TraceError(f"{path} is cut short: {size} bytes are left of it")
    page_bytes = int.from_bytes(header[16:18], "big")
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    pages = int.from_bytes(header[28:32], "big")
    # In WAL mode the newest pages may still stand beside the file.
    if pages * page_bytes > size and not os.path.exists(f"{path}-wal"):
        raise TraceError(f"{path} is cut short: {size} of {pages * page_bytes} bytes are left")


def _sql(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def schema_text() -> str:
    """Return the statements that make an empty trace, without its views."""
    return _sql("schema.sql")


@lru_cache(maxsize=1)
def schema_tables() -> frozenset[str]:
    """Return the names of the tables that the format has."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_sql("schema.sql"))
        return frozenset(name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))


@dataclass(frozen=True)
class Column:
    """A column as the schema declares it: its type is INTEGER, TEXT or BLOB."""

    name: str
    type: str
    required: bool


@lru_cache(maxsize=1)
def tables_of_format() -> dict[str, tuple[Column, ...]]:
    """Return the tables that a trace has, with their columns."""
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(_sql("schema.sql"))
        names = [row[0] for row in empty.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: tuple(Column(row[1], row[2], bool(row[3])) for row in empty.execute(f"PRAGMA table_info({name})")) for name in names}


@lru_cache(maxsize=1)
def named_queries() -> dict[str, str]:
    """Return the queries that have a name: name -> SQL, its first comment line saying what it answers."""
    folder = resources.files(__package__) / "queries"
    return {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    }
