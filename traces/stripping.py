"""A trace without what was said: payloads and the contents of packets gone from the file, everything else as it was.

Owns the copy: a payload is never written into the new file, so there is nothing in it that would have to be wiped. Knows no
packet: how much of a frame is headers is told by the caller.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .recovery import left_by_recorder
from .store import Trace, TraceError, open_trace, schema_tables, translated_errors

_LOCK_S = 2.0  # how long somebody else's transaction is waited for


@dataclass(frozen=True)
class Stripped:
    """What was taken out.

    Args:
        payloads, payload_bytes: rows of `payloads`, and the bytes in them.
        packets, packet_bytes: packets that carried something, and the bytes of their frames behind the headers.
        left_out: tables that are not of the trace format: they may hold copies of anything.
    """

    payloads: int
    payload_bytes: int
    packets: int
    packet_bytes: int
    left_out: tuple[str, ...]


def strip_trace(path: Path, output: Path | None, headers_of: Callable[[bytes], bytes]) -> Stripped:
    """Write a trace without payloads, in its own place or elsewhere. Either all of it is done, or nothing.

    Args:
        path: the trace.
        output: another file, which is then written over; None: in its own place, with the mode and the owner that it has.
        headers_of: a frame from its IP header on -> its headers only.

    Raises:
        TraceError: no trace; a run of it is not finished; somebody else uses it; it holds tables of others; no room.
    """
    # Through a symbolic link: what it names is replaced, not the link.
    path = Path(os.path.realpath(path))
    with open_trace(path) as trace:
        _refuse_unfinished(trace)
        left_out = _foreign_tables(trace)
    if left_out and output is None:
        raise TraceError(f"{path} also holds {', '.join(left_out)}, not of the trace format, perhaps with payloads: "
                         "drop it, or write a trace without it with -o FILE")
    target = output or path
    with _written_beside(target) as private:
        copied = _Copy(path, private, headers_of, in_place=output is None)
        try:
            with translated_errors(path):
                counts = copied.made(left_out)
                if output is None:
                    was = path.stat()
                    os.chmod(private, was.st_mode & 0o7777)
                    with suppress(PermissionError):
                        os.chown(private, was.st_uid, was.st_gid)
                os.replace(private, target)
        except OSError as error:
            raise TraceError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            copied.close()
    return Stripped(*counts, left_out)


def _refuse_unfinished(trace: Trace) -> None:
    for run in trace.runs():
        left = left_by_recorder(run)
        if left is not None and left.recorder is not None:
            raise TraceError(f"{run.name} is still being recorded into {trace.path}: strip it when that has ended")
        if left is not None:
            raise TraceError(f"the recorder of {run.name} died, and the rest of it has payloads, too: first sockreel recover {trace.path}")


def _foreign_tables(trace: Trace) -> tuple[str, ...]:
    ours = schema_tables()
    rows = trace.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
    return tuple(str(row["name"]) for row in rows if row["name"] not in ours)


@contextmanager
def _written_beside(target: Path) -> Iterator[Path]:
    """Yield an empty file of the owner's only, beside the one that it will become; whatever is left of it in the end goes."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:60]}.", dir=target.parent)
    except OSError as error:
        raise TraceError(f"{target} cannot be written: {error.strerror}") from error
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(f"{name}{ending}")


class _Copy:
    """A new file, and the trace attached to it: `was` is the trace, `main` what becomes of it."""

    def __init__(self, path: Path, private: Path, headers_of: Callable[[bytes], bytes], in_place: bool) -> None:
        self.path, self.in_place = path, in_place
        self.connection = sqlite3.connect(private.absolute().as_uri(), uri=True, isolation_level=None, timeout=_LOCK_S)
        self.connection.text_factory = bytes  # names and texts are passed on as they are
        self.connection.create_function("headers_of", 1, lambda frame: headers_of(frame) if isinstance(frame, bytes) else b"",
                                        deterministic=True)

    def close(self) -> None:
        """Let both files go."""
        self.connection.close()

    def made(self, left_out: tuple[str, ...]) -> tuple[int, int, int, int]:
        """Copy everything but what was said; return payloads, their bytes, packets, their bytes.

        The trace stays locked until `close` where it is to be replaced, so that nobody writes into a file that goes.
        """
        run = self.connection.execute
        run("ATTACH ? AS was", (f"{self.path.as_uri()}?mode={'rw' if self.in_place else 'ro'}",))
        if self.in_place:
            self._take_over()
        run(f"PRAGMA main.page_size = {self._number('PRAGMA was.page_size')}")
        for key in ("application_id", "user_version"):
            run(f"PRAGMA main.{key} = {self._number(f'PRAGMA was.{key}')}")
        # The file gets its name when it is whole: until then it needs no journal.
        run("PRAGMA main.journal_mode = OFF")
        self._begin()
        counts = self._counted()
        self._fill({name.encode() for name in left_out})
        run("UPDATE main.runs SET settings = json_set(settings, '$.payload_stripped', json('true')) "
            "WHERE json_valid(settings) AND json_type(settings) = 'object'")
        run("COMMIT")
        return counts

    def _take_over(self) -> None:
        """Keep every lock once taken, and bring what stands in the log beside the trace into it: it would outlive the trace."""
        self.connection.execute("PRAGMA was.locking_mode = EXCLUSIVE")
        with self._alone():
            self.connection.execute("PRAGMA was.journal_mode = DELETE")

    def _begin(self) -> None:
        with self._alone():
            self.connection.execute("BEGIN EXCLUSIVE" if self.in_place else "BEGIN")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise TraceError(f"somebody else has {self.path} open: close that, or write another file with -o FILE") from error

    def _number(self, sql: str) -> int:
        return int(self.connection.execute(sql).fetchone()[0] or 0)

    def _counted(self) -> tuple[int, int, int, int]:
        run, there = self.connection.execute, self._tables()
        payloads: tuple[int, int] = (0, 0)
        packets: tuple[int, int] = (0, 0)
        if b"payloads" in there:
            payloads = run("SELECT count(*), ifnull(sum(length(CAST(data AS BLOB))), 0) FROM was.payloads").fetchone()
        if b"packets" in there:
            packets = run("SELECT ifnull(sum(behind > 0), 0), ifnull(sum(behind), 0) FROM (SELECT length(CAST(frame AS BLOB)) "
                          "- length(headers_of(CAST(frame AS BLOB))) AS behind FROM was.packets)").fetchone()
        return *payloads, *packets

    def _tables(self) -> dict[bytes, bytes]:
        rows = self.connection.execute("SELECT name, sql FROM was.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
                                       "ESCAPE '\\' ORDER BY rowid")
        return dict(rows)

    def _fill(self, left_out: set[bytes]) -> None:
        run = self.connection.execute
        for name, sql in self._tables().items():
            if name in left_out:
                continue
            run(sql.decode())
            if name != b"payloads":
                table = _quoted(name)
                columns = [row[1] for row in run(f"PRAGMA was.table_info({table})")]
                values = ["headers_of(CAST(frame AS BLOB))" if (name, column) == (b"packets", b"frame") else _quoted(column)
                          for column in columns]
                # All columns of a table into one that is alike: SQLite then copies whole records.
                what = "*" if name != b"packets" else ", ".join(values)
                run(f"INSERT INTO main.{table} SELECT {what} FROM was.{table}")
        # No triggers: a trace has none, and what others put there would run with whoever writes.
        later = run("SELECT sql FROM was.sqlite_master WHERE type IN ('index', 'view') AND sql IS NOT NULL AND tbl_name NOT IN "
                    f"({', '.join('?' * len(left_out))}) ORDER BY rowid", [name.decode() for name in left_out]).fetchall()
        for (sql,) in later:
            run(sql.decode())
        if self._number("SELECT count(*) FROM was.sqlite_master WHERE name = 'sqlite_stat1'"):
            run("ANALYZE main")


def _quoted(name: bytes) -> str:
    return '"' + name.decode().replace('"', '""') + '"'
