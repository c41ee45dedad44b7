"""A trace and what strace wrote of the same run, compared.

Owns reading both. Knows the trace's queries, and nothing of how a call is matched.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...traces import Run, Trace
from ...traces.store import named_queries
from .grammar import Recorded
from .strace import read_strace
from .verdict import Verdict, verify


def compare_witnesses(trace: Trace, run: Run, strace_output: Path) -> Verdict:
    """Compare a run with what strace wrote of it.

    Args:
        trace: opened.
        run: one of it.
        strace_output: the file that `tracing.record_traced` filled.

    Raises:
        TraceError: the trace cannot be read.
    """
    names = ("id", "thread", "pid", "operation", "layer", "outcome", "result", "asked", "timeout_ns", "parent", "socket", "closed_by",
             "new_fd", "started_ns", "site", "in_memory")  # fmt: skip
    recorded = [
        Recorded(**{name: row[name] for name in names}, fd=-1 if row["fd"] is None else row["fd"], errno=row["errno"] or 0)
        for row in trace.iterate(named_queries()["calls_to_verify"], {"run": run.id})
    ]
    known: dict[int, bool] = {}
    for row in trace.named("processes_to_verify", run=run.id):
        known[row["pid"]] = known.get(row["pid"], False) or bool(row["recorded"])
    with strace_output.open(encoding="utf-8", errors="surrogateescape") as lines:
        told = read_strace(lines)
    return verify(recorded, told, known, start_epoch_ns(trace, run))


def start_epoch_ns(trace: Trace, run: Run) -> int:
    """Return CLOCK_REALTIME when a run began."""
    row = trace.named("clock_of_run", run=run.id)[0]
    return int(row["realtime_ns"]) - int(row["at_ns"])


def lines_of(strace_output: Path, numbers: Iterable[int]) -> dict[int, str]:
    """Return lines of what strace wrote, by their numbers, from 1."""
    wanted = set(numbers)
    with strace_output.open(encoding="utf-8", errors="backslashreplace") as lines:
        return {number: line.rstrip("\n") for number, line in enumerate(lines, 1) if number in wanted}
