"""Signals: what becomes of the notes that the agent writes of them.

Owns the row of a delivery, and the rule by which a signal that several sockets send is told from what its
handler did: the first of those sockets on which a call did not come back empty-handed, before another signal
was taken. Knows notes and slots in the order of the tape.
"""

from __future__ import annotations

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
_WOULD_BLOCK = layout.OUTCOMES["would_block"]
_TAKES_ANOTHER = frozenset(layout.OPERATIONS[name] for name in ("sigwait", "sigwaitinfo", "sigtimedwait"))


@dataclass
class _Unclear:
    """A delivery whose socket is not known yet."""

    thread: int
    started_ns: int
    armed: frozenset[int]
    ended_ns: int | None = None


@dataclass
class Deliveries:
    """The deliveries of one process that calls still to come may explain, in its own numbers.

    Args:
        unclear: by the number of the delivery.
        interrupted: slots of calls that signals came in: they are told, not folded.
    """

    unclear: dict[int, _Unclear] = field(default_factory=dict)
    interrupted: set[int] = field(default_factory=set)

    def kept(self) -> list[tuple[int, int, int, list[int], int | None]]:
        """Return what another recorder would need to go on, for `restore`."""
        return [(key, one.thread, one.started_ns, sorted(one.armed), one.ended_ns) for key, one in self.unclear.items()]

    def restore(self, kept: Iterable[tuple[int, int, int, list[int], int | None]]) -> None:
        """Take up what `kept` returned."""
        self.unclear = {key: _Unclear(thread, started_ns, frozenset(armed), ended_ns) for key, thread, started_ns, armed, ended_ns in kept}

    def sockets(self, arrived: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, int]]:
        """Follow the calls, and yield (number of a delivery, socket that sent its signal).

        Args:
            arrived: (number of the first slot, slots), in the order of the tape; their notes were taken before.
        """
        for _, slots in arrived:
            if not self.unclear:
                return
            columns = (slot_column(slots, name) for name in ("thread", "socket", "started_ns", "operation", "outcome"))
            for thread, socket, started_ns, operation, outcome in zip(*columns, strict=True):
                for key, one in list(self.unclear.items()):
                    if one.thread != thread or started_ns < one.started_ns:
                        continue
                    if operation in _TAKES_ANOTHER or (one.ended_ns is not None and started_ns > one.ended_ns):
                        del self.unclear[key]
                    elif socket in one.armed and operation in NEEDS and outcome != _WOULD_BLOCK:
                        del self.unclear[key]
                        yield key, socket


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
        if key in known.unclear:
            known.unclear[key].ended_ns = int(fields[0])
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
    if told["armed"]:
        known.unclear[key] = _Unclear(thread, started_ns, frozenset(map(int, told["armed"].split(","))), None if ended_ns < 0 else ended_ns)
    while len(known.unclear) > _KEPT:
        del known.unclear[next(iter(known.unclear))]
