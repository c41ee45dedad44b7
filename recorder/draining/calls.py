"""Calls: what becomes of the slots of a run's tapes.

Owns which calls are rows, which are folded, and all counts of them. Knows the writer and slots, not notes and not how
processes come and go.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...traces.mending import unfinished_calls
from ...traces.writer import RunWriter
from ..agent import layout
from ..counting.folded import write_changes
from ..counting.folding import Folding
from ..counting.tally import LevelRow, Tally
from ..tapes.slots import slot_columns, slot_values, without_sockets
from .moved import Moved
from .numbering import Numbering
from .process import Process

Columns = dict[str, list[int]]
Arrived = Sequence[tuple[int, bytes]]  # (number of the first slot, slots), in the order of the tape
_OPEN_SHOWN_NS = 100_000_000  # an open call this old gets a row


class Calls:
    """The calls of one run.

    Args:
        writer: takes the rows.
        numbering: says which slot is which id.
        moved: is told of finished calls.
    """

    def __init__(self, writer: RunWriter, numbering: Numbering, moved: Moved) -> None:
        self.tally = Tally()  # of what is committed
        self.counted_later = False  # somebody will make summaries and levels from the rows
        self.by_socket = True
        self.folded_from_ns: int | None = None  # run time since which long spins are folded
        self.recorded = 0
        self.kept = 0  # of them, in the file by the last commit
        self.lost_before = 0  # that were read when the file took no more
        self._writer = writer
        self._numbering = numbering
        self._moved = moved
        self._fresh = Tally()  # of what is not committed
        self._levels: list[LevelRow] = []  # settled, not committed
        self._levels_written = 0  # of them, in the transaction that is open
        self._returned: list[tuple[Process, int, bytes]] = []  # calls that stand open in the file and have returned

    def id_of(self, process: Process, number: int) -> int:
        """Return the id of a slot's call."""
        return self._numbering.call_id(process.segment_ids, number)

    # From slots to rows.

    def take(self, process: Process, arrived: Arrived) -> None:
        """Write what has arrived; where calls are folded, `fold` does that, once it is known which calls are linked."""
        if self.folded_from_ns is None:
            for number, slots in arrived:
                (self._late if number in process.shown_open else self._block)(process, number, slots)

    def fold(self, process: Process, arrived: Arrived, linked: set[int]) -> None:
        """Take in calls and write those that a fold does not count, where calls are folded.

        Args:
            process: whose they are.
            arrived: as for `take`.
            linked: numbers of calls that others refer to: they stay rows.
        """
        if self.folded_from_ns is None:
            return
        folding = process.folding
        if folding is None:
            folding = process.folding = Folding(self._numbering.start_ns, self.by_socket)
        for number, slots in arrived:
            if number in process.shown_open:
                self._late(process, number, slots)
                folding.pass_by(slots)
            else:
                folding.take(number, slots, linked)
                self._count(process, self.id_of(process, number), slots)
        write_changes(folding.changes(), process.bases, lambda number: self.id_of(process, number), self._writer, self._fresh)

    def show_open(self, process: Process, all_of_them: bool = False) -> None:
        """Give a row to calls that are open for long, or to every open call of a process that has ended."""
        now_ns = time.monotonic_ns()
        for number, slot in process.reader.open_calls():
            if number in process.shown_open:
                continue
            columns = self._columns(process, number, slot)
            if all_of_them or now_ns - columns["started_ns"][0] >= _OPEN_SHOWN_NS:
                process.shown_open.add(number)
                self._writer.open_call(columns, process.bases)
                self.recorded += 1
                process.calls += 1

    def end(self, process: Process) -> None:
        """Count the calls that a process was in when it ended, and give back the ids that nobody used."""
        self.show_open(process, all_of_them=True)
        for number, slot in process.reader.open_calls():
            if number in process.shown_open:
                self._fresh.add_unfinished(process.id, slot_columns(slot)["operation"][0])
        self._numbering.reclaim(process.segment_ids, process.reader.calls.position)

    def _block(self, process: Process, first: int, data: bytes) -> None:
        columns = slot_values(data)
        id_ = self.id_of(process, first)
        columns["id"] = list(range(id_, id_ + len(data) // layout.SLOT_BYTES))
        parents = columns["parent"]
        if isinstance(parents, int):
            columns["parent"] = parents and self.id_of(process, parents - 1)
        else:
            columns["parent"] = [parent and self.id_of(process, parent - 1) for parent in parents]
        self._writer.calls(columns, process.bases)
        self._count(process, id_, data)

    def _columns(self, process: Process, number: int, slot: bytes) -> Columns:
        """Return one slot as the writer takes it."""
        columns = slot_columns(slot)
        columns["id"] = [self.id_of(process, number)]
        columns["parent"] = [parent and self.id_of(process, parent - 1) for parent in columns["parent"]]
        return columns

    def _late(self, process: Process, number: int, slot: bytes) -> None:
        """Take in a call that has returned and has a row as an open one."""
        columns = self._columns(process, number, slot)
        process.shown_open.discard(number)
        if number in process.kept_open:
            self._returned.append((process, number, slot))
        self._writer.close_call(columns, process.bases)
        self.recorded -= 1
        process.calls -= 1
        self._count(process, columns["id"][0], slot)

    # Counts.

    def _count(self, process: Process, first_id: int, data: bytes) -> None:
        if not self._writer.muted and not self.counted_later:
            counted = data if self.by_socket else without_sockets(data)
            bases = process.bases
            self._fresh.add_slots(process.id, counted, first_id, bases.thread, bases.socket, self._numbering.start_ns)
        if process.found_dead_ns is not None:
            last = slot_columns(data[-layout.SLOT_BYTES :])
            ended_ns = last["started_ns"][0] + last["duration_ns"][0] - self._numbering.start_ns
            process.found_dead_ns = max(process.found_dead_ns, ended_ns)
        self._moved.take(process.id, data)
        calls = len(data) // layout.SLOT_BYTES
        process.calls += calls
        self.recorded += calls

    def settle(self, finish: bool = False) -> None:
        """Write the levels of times that no call will reach any more; at the run's end all that are left."""
        self._levels += self.tally.settled_levels(finish=finish)
        self._writer.levels(self._levels[self._levels_written :])
        self._levels_written = len(self._levels)

    def committed(self) -> None:
        """Take in that the file has all of it."""
        self.tally.absorb(self._fresh)
        del self._levels[: self._levels_written]
        self._fresh, self._levels_written, self._returned = Tally(), 0, []
        self.kept = self.recorded

    def undone(self) -> None:
        """Take in that the file has nothing of what was not committed, and go on from what it has: the rest is lost."""
        self.lost_before, self.recorded = self.lost, self.kept
        self._fresh, self._levels_written = Tally(), 0

    @property
    def lost(self) -> int:
        """How many calls were read and found no place in the file."""
        return self.lost_before + (self.recorded - self.kept if self._writer.muted else 0)

    def write_returned(self) -> None:
        """Write the ends of calls that stand open in a file which took no more when they returned."""
        for process, number, slot in self._returned:
            columns = self._columns(process, number, slot)
            bases = process.bases
            self._writer.close_call(columns, bases)
            self._fresh.add_slots(process.id, slot, columns["id"][0], bases.thread, bases.socket, self._numbering.start_ns)

    def count_unfinished(self) -> None:
        """Count as unfinished what stands open in the file."""
        self.tally.set_unfinished(unfinished_calls(self._writer))

    def write_summaries(self) -> None:
        """Bring the summaries up to date."""
        if not self.counted_later:
            self._writer.summaries(self.tally.summary_rows())
