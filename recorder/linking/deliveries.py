"""Signals: what becomes of the notes that the agent writes of them.

Owns the row of a delivery, and the rule by which a signal that several sockets may have sent is told from what was
done about it: the first of those sockets on which a call did not come back empty-handed, before its handler was over
and before its thread was given another signal, in that handler or by a call that waits for one. Knows notes and slots.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..agent import layout
from ..tapes.slots import slot_column
from .readiness import NEEDS

if TYPE_CHECKING:
    from ..draining.numbering import Numbering
    from ..draining.process import Process

_KEPT = 4096
_STARTS_KEPT = 16
_WOULD_BLOCK = layout.OUTCOMES["would_block"]
_COLUMNS = ("thread", "socket", "started_ns", "operation", "outcome")
_NEVER_NS = 1 << 63


@dataclass
class _Unclear:
    """A delivery whose socket is not known yet.

    Args:
        key: its number.
        thread: that was given it.
        started_ns, until_ns: what was done about it began between them.
        during: slot of the call that it came in; -1: none.
        armed: sockets that may have sent it.
        last: slot of the call, of those that may answer, in which the next one came; -1: none.
    """

    key: int
    thread: int
    started_ns: int
    during: int
    armed: frozenset[int]
    until_ns: int = _NEVER_NS
    last: int = -1


@dataclass
class Deliveries:
    """The deliveries of one process that calls still to come may explain, in its own numbers.

    Args:
        unclear: by thread, in the order of time; no two of a thread overlap.
        interrupted: slots of calls that signals came in: they are told, not folded.
    """

    unclear: dict[int, list[_Unclear]] = field(default_factory=dict)
    interrupted: set[int] = field(default_factory=set)
    _by_key: dict[int, _Unclear] = field(default_factory=dict)
    _starts: dict[int, deque[int]] = field(default_factory=dict)  # by thread: when it was given its last signals

    def kept(self) -> list[tuple[int, int, int, int, list[int], int, int]]:
        """Return what another recorder would need to go on, for `restore`."""
        return [
            (one.key, one.thread, one.started_ns, one.during, sorted(one.armed), one.until_ns, one.last)
            for waiting in self.unclear.values()
            for one in waiting
        ]

    def restore(self, kept: Iterable[tuple[int, int, int, int, list[int], int, int]]) -> None:
        """Take up what `kept` returned."""
        for key, thread, started_ns, during, armed, until_ns, last in kept:
            self._add(_Unclear(key, thread, started_ns, during, frozenset(armed), until_ns, last))

    def _add(self, one: _Unclear) -> None:
        self._by_key[one.key] = one
        waiting = self.unclear.setdefault(one.thread, [])
        insort(waiting, one, key=_start)
        if len(waiting) > _KEPT:
            del self._by_key[waiting.pop(0).key]

    def begins(self, key: int, thread: int, started_ns: int, armed: frozenset[int], during: int) -> None:
        """Take in a delivery: what its thread does from now on is no answer to the one before.

        Args:
            key: its number.
            thread: that was given it.
            started_ns: when.
            armed: sockets that may have sent it, where that is not known.
            during: slot of the call that its thread was in; -1: none.
        """
        waiting = self.unclear.get(thread, [])
        at = bisect_right(waiting, started_ns, key=_start) - 1
        if at >= 0 and waiting[at].until_ns > started_ns:
            waiting[at].until_ns = started_ns
            waiting[at].last = during if during != waiting[at].during else -1
        starts = self._starts.setdefault(thread, deque(maxlen=_STARTS_KEPT))
        if armed:
            # A signal may come while one before it is being noted: that one's note then comes last.
            until_ns = min((start for start in starts if start > started_ns), default=_NEVER_NS)
            self._add(_Unclear(key, thread, started_ns, during, armed, until_ns))
        starts.append(started_ns)

    def ends(self, key: int, ended_ns: int) -> None:
        """Take in that a handler is over."""
        one = self._by_key.get(key)
        if one is not None:
            one.until_ns = min(one.until_ns, ended_ns)

    def sockets(self, arrived: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, int]]:
        """Follow the calls, and yield (number of a delivery, socket that sent its signal).

        Args:
            arrived: (number of the first slot, slots), in the order of the tape; their notes were taken before.
        """
        if not self.unclear:
            return
        calls: dict[int, list[tuple[int, int, int, bool]]] = {thread: [] for thread in self.unclear}
        for first, slots in arrived:
            columns = (slot_column(slots, name) for name in _COLUMNS)
            for number, (thread, socket, started_ns, operation, outcome) in enumerate(zip(*columns, strict=True), first):
                if thread in calls:
                    calls[thread].append((started_ns, number, socket, operation in NEEDS and outcome != _WOULD_BLOCK))
        for thread, made in calls.items():
            # Not in the order of the tape: a call that a signal came in before it began has the lower number.
            yield from self._answered(thread, sorted(made))

    def _answered(self, thread: int, made: Sequence[tuple[int, int, int, bool]]) -> Iterator[tuple[int, int]]:
        """Do that for the calls of one thread: (start, slot, socket, whether it came back with anything), in the order of time."""
        if not made:
            return
        waiting = self.unclear[thread]
        told = set()
        for started_ns, _, socket, found in made:
            if found:
                at = bisect_right(waiting, started_ns, key=_start) - 1
                one = waiting[at]
                if at >= 0 and started_ns <= one.until_ns and socket in one.armed and one.key not in told:
                    told.add(one.key)
                    yield one.key, socket
        last_ns, numbers = made[-1][0], {number for _, number, _, _ in made}
        left = []
        for one in waiting:
            # The last of those that may answer arrives late where another signal came in it: when that one is served.
            if one.key not in told and (one.until_ns >= last_ns or (one.last >= 0 and one.last not in numbers)):
                left.append(one)
            else:
                del self._by_key[one.key]
        self.unclear[thread] = left
        if not left:
            del self.unclear[thread]


def _start(one: _Unclear) -> int:
    return one.started_ns


def take(numbering: Numbering, process: Process, key: int, fields: Sequence[str]) -> None:
    """Write what a note tells of a delivery.

    Args:
        numbering: of the run; its writer writes it.
        process: where it happened.
        key: its number in that process.
        fields: of the note.
    """
    writer, bases, start_ns = numbering.writer, process.bases, numbering.start_ns
    known = process.deliveries
    if len(fields) == 1:
        writer.update("signals", bases.signal + key, ended_ns=int(fields[0]) - start_ns)
        known.ends(key, int(fields[0]))
        return
    told = dict(zip(layout.SIGNAL_FIELDS, fields, strict=True))
    thread, started_ns, ended_ns, during, socket = (int(told[name]) for name in ("thread", "started_ns", "ended_ns", "during", "socket"))
    writer.insert(
        "signals",
        id=bases.signal + key,
        run_id=writer.run_id,
        thread_id=bases.thread + thread,
        signal=told["signal"],
        via=told["via"],
        started_ns=started_ns - start_ns,
        ended_ns=ended_ns - start_ns if ended_ns >= 0 else None,
        during_call_id=numbering.call_id(process.segment_ids, during - 1) if during else None,
        socket_id=bases.socket + socket if socket else None,
    )
    if during:
        if len(known.interrupted) >= _KEPT:
            known.interrupted = set(sorted(known.interrupted)[_KEPT // 2 :])
        known.interrupted.add(during - 1)
    armed = frozenset(map(int, told["armed"].split(","))) if told["armed"] else frozenset()
    known.begins(key, thread, started_ns, armed, during - 1)
