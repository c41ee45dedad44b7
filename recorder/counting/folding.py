"""Folding: of a long spin, the first and the last calls stay rows; the ones between are counted.

Owns which calls are counted instead of kept, and the sums over those (`folds` and `fold_parts` of
traces/schema.sql). Slots of one process come in the order of the tape; what goes out are slots to
keep, rows to take back, and folds. Knows the tape's layout, neither the trace nor its ids.

A call is folded only if nothing is told of it alone: it found nothing, at once, from outside of any
other call. A call of 8 ms or more, and a pause of as much in which the thread did something else,
end a stretch as any other call does, so that nothing stands inside of a fold but what it counts.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from ..agent import layout
from ..tapes.slots import field_place, slot_column
from .tally import SHORT_NS

KEPT = 16
"""So many calls at either end of a spin stay rows."""
FOLD_NS = 1_000_000_000
"""A fold never reaches over such a border of the run's time: a narrow window sees where it lies."""
PAUSE_NS = SHORT_NS

Part = tuple[int, int, int]  # socket, operation, site: the process' own numbers
_BREAKS, _FOLDABLE, _MAY_BE = 0, 1, 2
_OUTCOME_AT = 84
# A timeout found nothing at once only where none was asked for: a wait with timeout 0.
_KIND_OF = {layout.OUTCOMES["would_block"]: _FOLDABLE, layout.OUTCOMES["timeout"]: _MAY_BE}
_BY_OUTCOME = bytes(_KIND_OF.get(code, _BREAKS) for code in range(256))
_ALIKE = {code: re.compile(re.escape(bytes([code])) + b"+") for code in (_BREAKS, _FOLDABLE)}


@dataclass(eq=False)
class Fold:
    """Calls of one thread that were counted. It grows until the spin, a pause or a second ends.

    Attributes:
        thread: the process' own number.
        first_ns, last_ns: start of the first call, end of the last; CLOCK_MONOTONIC.
        parts: per socket, operation and site: calls, time in them, the shortest, the longest (ns).
        id: in the file, for whoever writes it there; 0: not yet.
    """

    thread: int
    first_ns: int
    last_ns: int
    parts: dict[Part, list[int]] = field(default_factory=dict)
    id: int = 0


@dataclass
class Changes:
    """What became of calls since the last time.

    Attributes:
        kept: (slot numbers, slots) to become rows.
        dropped: slot numbers whose rows are in a fold by now.
        folds: those that are new or have grown, as they are now.
        stretches: (thread, first_ns, last_ns) in which calls were folded since the last time.
    """

    kept: list[tuple[Sequence[int], bytes]] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    folds: dict[Fold, None] = field(default_factory=dict)
    stretches: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass
class _Spin:
    """Where a thread is: its last calls wait until it is known that they are not the spin's last."""

    thread: int
    begun: int = 0  # calls of the spin that were kept at its beginning
    numbers: list[int] = field(default_factory=list)
    slots: bytes = b""
    lasting: list[int] = field(default_factory=list)  # their durations
    shown: int = 0  # so many of the waiting calls have a row
    ended_ns: int = 0
    fold: Fold | None = None


class Folding:
    """Folds the calls of one process.

    Args:
        start_ns: CLOCK_MONOTONIC at the run's start.
        by_socket: whether the calls of a fold are counted apart for each socket. A round of polling over
            10,000 connections would otherwise be 10,000 parts.
    """

    def __init__(self, start_ns: int, by_socket: bool = True) -> None:
        self.start_ns = start_ns
        self._by_socket = by_socket
        self._spins: dict[int, _Spin] = {}
        self._named: AbstractSet[int] = frozenset()
        self._changes = Changes()

    def take(self, first: int, slots: bytes, named: AbstractSet[int] = frozenset()) -> None:
        """Take complete slots that follow each other. Those of one thread come in their order.

        Args:
            first: number of the first slot.
            slots: whole slots.
            named: numbers of slots that something else refers to; they are kept.
        """
        self._named = named
        if _is_uniform(slots, "thread"):
            self._take_thread(_first(slots, "thread"), range(first, first + len(slots) // layout.SLOT_BYTES), slots)
            return
        threads = slot_column(slots, "thread")
        places: dict[int, list[int]] = defaultdict(list)
        for place, thread in enumerate(threads):
            places[thread].append(place)
        size = layout.SLOT_BYTES
        for thread, own in places.items():
            self._take_thread(thread, [first + place for place in own], b"".join([slots[at * size : at * size + size] for at in own]))

    def pass_by(self, slot: bytes) -> None:
        """Take note of a call that has its row already, having been open for long."""
        spin = self._spin(_first(slot, "thread"))
        self._end_spin(spin)
        spin.ended_ns = max(spin.ended_ns, _ended_ns(slot))

    def changes(self) -> Changes:
        """Return what became of the calls since the last time: with it, each is a row or in a fold."""
        for spin in self._spins.values():
            self._show(spin)
        changes, self._changes = self._changes, Changes()
        return changes

    def _spin(self, thread: int) -> _Spin:
        found = self._spins.get(thread)
        if found is None:
            found = self._spins[thread] = _Spin(thread)
        return found

    def _take_thread(self, thread: int, numbers: Sequence[int], slots: bytes) -> None:
        spin = self._spin(thread)
        durations = slot_column(slots, "duration_ns")
        kinds = _kinds(slots, durations)
        if self._named and any(number in self._named for number in numbers):
            kinds = bytes(_BREAKS if number in self._named else kind for number, kind in zip(numbers, kinds, strict=True))
        pauses = _pauses(slots, durations, spin.ended_ns)
        at, size = 0, layout.SLOT_BYTES
        while at < len(kinds):
            if pauses and at == pauses[0]:
                pauses.pop(0)
                self._end_spin(spin)
            found = _ALIKE[kinds[at]].match(kinds, at)
            stop = min(found.end() if found else at + 1, pauses[0] if pauses else len(kinds))
            these, their_slots = numbers[at:stop], slots[at * size : stop * size]
            if kinds[at] == _FOLDABLE:
                self._spin_on(spin, these, their_slots, durations[at:stop])
            else:
                self._end_spin(spin)
                self._changes.kept.append((these, their_slots))
            at = stop
        spin.ended_ns = max(spin.ended_ns, _ended_ns(slots[-size:]))

    def _spin_on(self, spin: _Spin, numbers: Sequence[int], slots: bytes, lasting: list[int]) -> None:
        """Take fruitless calls: the spin's first are kept, its last wait, what leaves them is folded."""
        size = layout.SLOT_BYTES
        if spin.begun < KEPT:
            first = min(KEPT - spin.begun, len(numbers))
            spin.begun += first
            self._changes.kept.append((numbers[:first], slots[: first * size]))
            numbers, slots, lasting = numbers[first:], slots[first * size :], lasting[first:]
        out = max(0, len(spin.numbers) + len(numbers) - KEPT)
        slots, lasting = spin.slots + slots, spin.lasting + lasting
        if out:
            self._fold(spin, slots[: out * size], lasting[:out])
            had_rows = min(out, spin.shown)
            self._changes.dropped += spin.numbers[:had_rows]
            spin.shown -= had_rows
        spin.numbers = [*spin.numbers, *numbers[-KEPT:]][-KEPT:]
        spin.slots, spin.lasting = slots[out * size :], lasting[out:]

    def _show(self, spin: _Spin) -> None:
        """Make rows of the calls that wait: whoever reads now sees them, and they outlive us."""
        if spin.shown < len(spin.numbers):
            self._changes.kept.append((spin.numbers[spin.shown :], spin.slots[spin.shown * layout.SLOT_BYTES :]))
            spin.shown = len(spin.numbers)

    def _end_spin(self, spin: _Spin) -> None:
        self._show(spin)
        spin.begun, spin.numbers, spin.slots, spin.lasting, spin.shown, spin.fold = 0, [], b"", [], 0, None

    def _fold(self, spin: _Spin, slots: bytes, lasting: list[int]) -> None:
        """Count calls, apart where a second of the run begins between them."""
        size = layout.SLOT_BYTES
        first_ns, last_ns = _started_ns(slots), _started_ns(slots[-size:])
        border_ns = (first_ns - self.start_ns) // FOLD_NS * FOLD_NS + FOLD_NS + self.start_ns
        if last_ns >= border_ns:
            before = bisect_left(slot_column(slots, "started_ns"), border_ns)
            if 0 < before < len(lasting):
                self._fold(spin, slots[: before * size], lasting[:before])
                self._fold(spin, slots[before * size :], lasting[before:])
                return
        fold = spin.fold
        if fold is None or (fold.first_ns - self.start_ns) // FOLD_NS != (first_ns - self.start_ns) // FOLD_NS:
            fold = spin.fold = Fold(spin.thread, first_ns, first_ns)
        fold.last_ns = _ended_ns(slots[-size:])
        _add_parts(fold.parts, slots, lasting, self._by_socket)
        self._changes.folds[fold] = None
        self._changes.stretches.append((spin.thread, first_ns, last_ns))


def _started_ns(slot: bytes) -> int:
    return int.from_bytes(slot[8:16], "little", signed=True)


def _ended_ns(slot: bytes) -> int:
    return _started_ns(slot) + max(0, int.from_bytes(slot[56:64], "little", signed=True))


def _kinds(slots: bytes, durations: Sequence[int]) -> bytes:
    """Return a byte for each slot: it may be folded, or it ends what can be."""
    kinds = slots[_OUTCOME_AT :: layout.SLOT_BYTES].translate(_BY_OUTCOME)
    if _MAY_BE in kinds:
        timeouts = slot_column(slots, "timeout_ns")
        at_once = {kind: kind for kind in (_BREAKS, _FOLDABLE)} | {_MAY_BE: _FOLDABLE}
        kinds = bytes(_BREAKS if kind == _MAY_BE and timeout else at_once[kind] for kind, timeout in zip(kinds, timeouts, strict=True))
    if max(durations) < SHORT_NS and min(durations) >= 0 and _is_uniform(slots, "parent") and not _first(slots, "parent"):
        return kinds
    parents = slot_column(slots, "parent")
    return bytes(
        _BREAKS if parent or not 0 <= lasted < SHORT_NS else kind for kind, parent, lasted in zip(kinds, parents, durations, strict=True)
    )


def _pauses(slots: bytes, durations: Sequence[int], ended_ns: int) -> list[int]:
    """Return the places of calls before which the thread did something else for long.

    Args:
        ended_ns: when the call before the first one ended; 0: there was none.
    """
    first_ns, last_ns = _started_ns(slots), _started_ns(slots[-layout.SLOT_BYTES :])
    before_ns = ended_ns or first_ns
    # What no call accounts for in the whole stretch bounds every single pause.
    if last_ns - before_ns - sum(durations[:-1]) < PAUSE_NS and first_ns - before_ns < PAUSE_NS and max(durations) < SHORT_NS:
        return []
    pauses = []
    for place, (started_ns, lasted) in enumerate(zip(slot_column(slots, "started_ns"), durations, strict=True)):
        if started_ns - before_ns >= PAUSE_NS:
            pauses.append(place)
        before_ns = max(before_ns, started_ns + lasted)
    return pauses


def _add_parts(parts: dict[Part, list[int]], slots: bytes, lasting: list[int], by_socket: bool) -> None:
    """Add calls and their durations to the sums of a fold; socket 0 is all of them."""
    names = ("socket", "operation", "site") if by_socket else ("operation", "site")
    groups: dict[Part, list[int]] = defaultdict(list)
    if all(_is_uniform(slots, name) for name in names):
        groups[_first(slots, "socket") if by_socket else 0, _first(slots, "operation"), _first(slots, "site")] = lasting
    else:
        sockets = slot_column(slots, "socket") if by_socket else [0] * len(lasting)
        keys = zip(sockets, slot_column(slots, "operation"), slot_column(slots, "site"), strict=True)
        for key, lasted in zip(keys, lasting, strict=True):
            groups[key].append(lasted)
    for key, durations in groups.items():
        least, most = min(durations), max(durations)
        part = parts.setdefault(key, [0, 0, least, most])
        part[:] = part[0] + len(durations), part[1] + sum(durations), min(part[2], least), max(part[3], most)


def _is_uniform(slots: bytes, name: str) -> bool:
    """Say whether a field has one value in all slots: byte by byte that takes a fifth of making numbers of it."""
    at, size = field_place(name)
    for byte in range(at, at + size):
        found = slots[byte :: layout.SLOT_BYTES]
        if found != found[:1] * len(found):
            return False
    return True


def _first(slots: bytes, name: str) -> int:
    return slot_column(slots[: layout.SLOT_BYTES], name)[0]
