"""Runs written from slots, as the drain writes them: the same calls with and without folding.

Owns slots made of plain values and the steps in which they come. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from sockreel.recorder.agent import layout
from sockreel.recorder.counting.folded import write_changes
from sockreel.recorder.counting.folding import Folding
from sockreel.recorder.counting.tally import Tally
from sockreel.recorder.tapes.slots import slot_columns
from sockreel.traces import create_trace
from sockreel.traces.writer import Bases, RunWriter

US, MS, S = 1_000, 1_000_000, 1_000_000_000
START_NS = 5 * S  # of the run, on the tape's clock
_SLOT = Struct("<" + layout.SLOT_FIELDS)
_BASES = Bases(10, 20, 30, 0, 0, START_NS)


@dataclass(frozen=True)
class Taped:
    """One call as the tape has it; times in ns since the run's start."""

    thread: int
    socket: int
    started_ns: int
    duration_ns: int = 2 * US
    operation: str = "recv"
    outcome: str = "would_block"
    result: int = layout.NOTHING
    timeout_ns: int = 0
    parent: int = 0
    site: int = 1

    def slot(self) -> bytes:
        """Return its slot."""
        return _SLOT.pack(
            self.thread, self.socket, self.started_ns + START_NS, 1024, self.timeout_ns, self.parent, self.site, 0, 0,
            layout.OPERATIONS[self.operation], self.duration_ns, self.result, 0, 11 if self.outcome == "would_block" else 0,
            layout.OUTCOMES[self.outcome], 0, layout.COMPLETE,
        )


def spin(at_ns: int, calls: int, *, thread: int = 1, sockets: int = 1, every_ns: int = 5 * US, duration_ns: int = 2 * US) -> list[Taped]:
    """Return fruitless calls one after the other, over some sockets in turn."""
    return [Taped(thread, 1 + n % sockets, at_ns + n * every_ns, duration_ns) for n in range(calls)]


def write_run(path: Path, calls: Sequence[Taped], end_ns: int, *, fold: bool, step: int = 1_000) -> Path:
    """Write a run of one process.

    Args:
        calls: in the order of the tape.
        end_ns: where the run ends.
        fold: whether long spins are folded.
        step: so many calls come between two commits.
    """
    writer = RunWriter(path, create_trace(path))
    writer.begin(command="[]", started_at="2026-01-15T09:30:00+00:00", recorder_version="0")
    process = writer.insert("processes", run_id=writer.run_id, pid=1, recorded=1, started_ns=0)
    for thread in sorted({call.thread for call in calls}):
        writer.insert("threads", id=_BASES.thread + thread, process_id=process, native_id=thread, name=f"thread {thread}")
    for number in sorted({call.socket for call in calls} - {0}):
        writer.insert("sockets", id=_BASES.socket + number, process_id=process, fd=number, role="accepted", opened_ns=0)
    for site in sorted({call.site for call in calls}):
        writer.insert("sites", id=_BASES.site + site, file="server.py", line=site, function="serve")
    tally, folding = Tally(), Folding(START_NS)
    for first in range(0, len(calls), step):
        slots = b"".join(call.slot() for call in calls[first : first + step])
        if fold:
            folding.take(first, slots)
            write_changes(folding.changes(), _BASES, lambda number: number + 1, writer, tally)
        else:
            columns = slot_columns(slots)
            columns["id"] = list(range(first + 1, first + 1 + len(columns["thread"])))
            writer.calls(columns, _BASES)
        tally.add_slots(process, slots, first + 1, _BASES.thread, _BASES.socket, START_NS)
        writer.commit()
    writer.levels(tally.settled_levels(finish=True))
    writer.summaries(tally.summary_rows())
    writer.update_run(calls_recorded=len(calls), duration_ns=end_ns, ended_by="exit")
    assert writer.finish()
    writer.close()
    return path
