"""Runs whose recorder died: which they are, where their tape is, and what stands in their rows.

Owns who records a run (kept in its settings) and the statements that only `sockreel recover`
needs. Knows no tape: what the rows of `recovery` hold is the recorder's business.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .report import read_json
from .store import Run, Trace, named_queries, translated_errors

if TYPE_CHECKING:
    from .writer import RunWriter

CHUNK_CALLS = 1 << 16  # taken together when a run's calls are counted anew
# The columns of a chunk, in the order of calls_to_count.sql.
COUNTED_COLUMNS = (
    "id", "process", "thread", "socket", "operation", "outcome", "started_ns", "duration_ns", "timeout_ns", "result", "parent",
)  # fmt: skip


def this_recorder() -> dict[str, Any]:
    """Return who we are, as `runs.settings` keeps it: a pid alone may come back as somebody else."""
    return {"pid": os.getpid(), "started_ticks": _started_ticks(os.getpid()), "boot": boot()}


def boot() -> str:
    """Return the kernel's name for this boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the boot (proc_pid_stat(5)); None where there is none, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


@dataclass(frozen=True)
class Left:
    """What the recorder of an unfinished run left.

    Args:
        run: its row.
        recorder: pid of whoever records or recovers it, None where that one is gone.
        folders: where its tape is, or was.
        key: what the tape must name to be this run's.
    """

    run: Run
    recorder: int | None
    folders: tuple[Path, ...]
    key: str


def left_by_recorder(run: Run) -> Left | None:
    """Return what is left of an unfinished run; None for one that has ended, or that never had a recorder."""
    if run.duration_ns is not None:
        return None
    settings = read_json(run.settings, dict) or {}
    told, tapes = settings.get("recorder"), settings.get("tapes")
    if not isinstance(told, dict) or not isinstance(tapes, list):
        return None
    pid, ticks = told.get("pid"), told.get("started_ticks")
    alive = isinstance(pid, int) and isinstance(ticks, int) and told.get("boot") == boot() and _started_ticks(pid) == ticks
    folders = tuple(Path(folder) for folder in tapes if isinstance(folder, str))
    return Left(run, pid if alive else None, folders, str(settings.get("tape_key", "")))


def lost_runs(trace: Trace) -> list[Left]:
    """Return the runs of a trace whose recorder died before it had written their end."""
    found = (left_by_recorder(run) for run in trace.runs())
    return [left for left in found if left is not None and left.recorder is None]


def counted_calls(writer: RunWriter) -> Iterator[tuple[int, list[sqlite3.Row]]]:
    """Yield a run's calls in the order of their ids, to be counted anew.

    Yields:
        (the moment before which no later chunk has a call, rows with COUNTED_COLUMNS).
    """
    queries = named_queries()
    with translated_errors(writer.path):
        connection = writer.connection
        starts = connection.execute(queries["chunks_of_run"], {"run": writer.run_id, "chunk": CHUNK_CALLS}).fetchall()
        horizons = []  # the last chunk's first
        least = 2**62
        for _, started_ns in reversed(starts):
            horizons.append(least)
            least = min(least, started_ns)
        for (chunk, _), horizon_ns in zip(starts, reversed(horizons), strict=True):
            first = chunk * CHUNK_CALLS
            wanted = {"run": writer.run_id, "first": first, "last": first + CHUNK_CALLS - 1}
            yield horizon_ns, connection.execute(queries["calls_to_count"], wanted).fetchall()
