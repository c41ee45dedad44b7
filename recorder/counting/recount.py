"""Make a run's `summaries` and `levels` anew, from its rows.

Owns nothing but the order in which that takes little memory; the arithmetic is that of tally.py.
Exact for calls that have rows. Of folded ones number, time, least and most are exact; inside a fold
they are taken to be spread evenly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ...traces.recovery import COUNTED_COLUMNS, counted_calls
from ...traces.writer import RunWriter
from .tally import Tally

_PROCESS, _DURATION = COUNTED_COLUMNS.index("process"), COUNTED_COLUMNS.index("duration_ns")
_OPERATION = COUNTED_COLUMNS.index("operation")


def recount(writer: RunWriter) -> int:
    """Count a run's calls anew, in the transaction that is open.

    Args:
        writer: of the run.

    Returns:
        How many calls there are.
    """
    tally = Tally()
    calls = 0
    folds: list[Sequence[int]] = writer.asked("folds_to_count")[::-1]  # the next one last
    writer.forget_levels()
    for horizon_ns, rows in counted_calls(writer):
        calls += len(rows)
        _add_rows(tally, rows)
        while folds and folds[-1][4] < horizon_ns:
            calls += _add_fold(tally, folds.pop())
        writer.levels(tally.settled_levels(horizon_ns=min(horizon_ns, folds[-1][4] if folds else horizon_ns)))
    for fold in reversed(folds):
        calls += _add_fold(tally, fold)
    writer.levels(tally.settled_levels(finish=True))
    writer.summaries(tally.summary_rows())
    return calls


def _add_rows(tally: Tally, rows: Sequence[Any]) -> None:
    processes: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        if row[_DURATION] is None:
            tally.add_unfinished(row[_PROCESS], row[_OPERATION])
        else:
            processes[row[_PROCESS]].append(row)
    for process, own in processes.items():
        tally.add(process, {name: list(column) for name, column in zip(COUNTED_COLUMNS, zip(*own, strict=True), strict=True)}, 0)


def _add_fold(tally: Tally, fold: Sequence[int]) -> int:
    process, thread, socket, operation, first_ns, last_ns, calls, total_ns, least_ns, most_ns = fold
    tally.add_fold(process, (thread, socket, operation), (first_ns, last_ns), calls, total_ns, least_ns, most_ns)
    return calls
