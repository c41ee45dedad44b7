"""What a folding leaves, as rows: calls kept, rows taken back, folds.

Owns the way from slot numbers to the file's ids for folded runs. Knows the writer and the counts;
which calls are folded is the business of folding.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...traces.writer import Bases, RunWriter
from ..tapes.slots import slot_columns
from .folding import Changes, Fold
from .tally import Tally


def write_changes(changes: Changes, bases: Bases, call_id: Callable[[int], int], writer: RunWriter, tally: Tally) -> None:
    """Write what a folding did since the last time.

    Args:
        changes: of one process.
        bases: of that process.
        call_id: turns its slot numbers into ids of the file.
        writer: of the run.
        tally: is told where calls were folded: what levels hold there is in no row.
    """
    writer.drop_calls(map(call_id, changes.dropped))
    numbers: list[int] = []
    for these, _ in changes.kept:
        numbers += these
    if numbers:
        writer.calls(_columns(numbers, b"".join(slots for _, slots in changes.kept), call_id), bases)
    for fold in changes.folds:
        _write_fold(fold, bases, writer)
    for thread, first_ns, last_ns in changes.stretches:
        tally.add_folded(thread + bases.thread, first_ns - bases.start_ns, last_ns - bases.start_ns)


def _columns(numbers: Sequence[int], slots: bytes, call_id: Callable[[int], int]) -> dict[str, list[int]]:
    columns = slot_columns(slots)
    columns["id"] = [call_id(number) for number in numbers]
    if any(columns["parent"]):
        columns["parent"] = [parent and call_id(parent - 1) for parent in columns["parent"]]
    return columns


def _write_fold(fold: Fold, bases: Bases, writer: RunWriter) -> None:
    if not fold.id:
        fold.id = writer.insert("folds", thread_id=fold.thread + bases.thread, first_ns=fold.first_ns - bases.start_ns, last_ns=0)
    writer.update("folds", fold.id, last_ns=fold.last_ns - bases.start_ns)
    writer.fold_parts(
        (fold.id, socket + bases.socket if socket else None, operation, site + bases.site if site else None, calls, ns, least, most)
        for (socket, operation, site), (calls, ns, least, most) in fold.parts.items()
    )
