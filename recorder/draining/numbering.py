"""Which small per-process number is which id in the file.

Owns the bases of processes and the ids of calls. Knows neither tape nor trace but for the highest ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ...traces.writer import Bases, RunWriter
from ..agent import layout

if TYPE_CHECKING:
    from .process import Process

_TABLES = ("threads", "sockets", "sites", "addresses", "signals")
_MOST_AHEAD = 1 << 14  # segments: 13 GB of tape that nobody has read
_SPACING = 1_000_000_000  # between the numbers of processes that live at the same time


class Numbering:
    """The ids of one run that are still to be had.

    Args:
        writer: has begun the run.
        start_ns: CLOCK_MONOTONIC at the run's start.
    """

    def __init__(self, writer: RunWriter, start_ns: int) -> None:
        self.writer = writer
        self.start_ns = start_ns
        self._next_call = writer.highest_id("calls") + 1
        self._next_base = {table: writer.highest_id(table) for table in _TABLES}

    def bases(self, alone: bool) -> Bases:
        """Return where a new process' numbers begin.

        Args:
            alone: no other process' numbers grow: behind all others; else far away from them.
        """
        if alone:
            bases = {table: self.writer.highest_id(table) for table in _TABLES}
            self._next_base = {table: base + 1 for table, base in bases.items()}
        else:
            top = max(-(-max(self._next_base[table], 1) // _SPACING) * _SPACING for table in _TABLES)
            bases = dict.fromkeys(_TABLES, top)
            self._next_base = dict.fromkeys(_TABLES, top + 1)
        return Bases(bases["threads"], bases["sockets"], bases["sites"], bases["addresses"], bases["signals"], self.start_ns)

    def call_id(self, segment_ids: dict[int, int], number: int) -> int:
        """Return the id of a slot's call: every segment gets the next free ids of the file.

        Args:
            segment_ids: of the process, segment -> id of its first slot; completed here.
            number: of the slot.

        Raises:
            ValueError: no tape is that long.
        """
        segment = number >> layout.SLOT_BITS
        if segment not in segment_ids:
            newest = max(segment_ids, default=-1)
            if not 0 <= segment <= newest + _MOST_AHEAD:
                raise ValueError(f"slot {number} is far behind the tape's end")
            # Whatever comes first of a segment (a payload may come long before its call): ids follow the tape.
            for each in range(min(newest + 1, segment), segment + 1):
                segment_ids[each] = self._next_call
                self._next_call += layout.SLOTS
        return segment_ids[segment] + (number & (layout.SLOTS - 1))

    def reclaim(self, segment_ids: Mapping[int, int], position: int) -> None:
        """Give back the ids of slots that were never used, where nobody took ids behind them.

        Args:
            segment_ids: of a process that has ended.
            position: number of slots it used.
        """
        for segment in sorted(segment_ids, reverse=True):
            first = segment_ids[segment]
            used = min(max(position - (segment << layout.SLOT_BITS), 0), layout.SLOTS)
            if first + layout.SLOTS != self._next_call:
                return
            self._next_call = first + used
            if used:
                return

    def go_on(self, processes: Iterable[Process]) -> None:
        """Give out nothing that another recorder has given out.

        Args:
            processes: those it knew.
        """
        for process in processes:
            bases = process.bases
            own = (bases.thread, bases.socket, bases.site, bases.address, bases.signal)
            given = dict(zip(_TABLES, own, strict=True))
            self._next_base = {table: max(highest, given[table] + 1) for table, highest in self._next_base.items()}
            self._next_call = max([self._next_call, *(first + layout.SLOTS for first in process.segment_ids.values())])
