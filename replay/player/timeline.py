"""All steps of a run in the order in which they came to an end, packed so that any moment is found at once.

Owns the packing: some 40 bytes a call in arrays, and for every socket and thread the positions of its calls,
so that whatever is asked of a position is a search by halves. Knows nothing of what is drawn.

| array | per | holds |
| --- | --- | --- |
| ids, starts, ends | step | the call (below 0: a fold, counted only); ns since the run's start |
| kinds | step | number of its signature: thread, socket, operation, outcome, site, fruitless |
| fruitful | step that is not fruitless | its position |
| positions | step of a socket, of a thread | its position |
| sums | step that moved bytes, or fold | its position, and the sums up to it |
| least | block of 64 steps, of 64 blocks, ... | the least start in it |
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..reading import Fold, Reader, damaged
from ..values import Window

_BLOCK = 64
"""So many steps share one least start."""


class Signature(NamedTuple):
    """What steps have in common: all that a breakpoint can ask for."""

    thread_id: int
    socket_id: int | None
    operation_id: int
    outcome_id: int | None
    site_id: int | None
    fruitless: bool


@dataclass(frozen=True, slots=True)
class Playhead:
    """Where the player stands: `position` steps have come to an end, and the clock shows `at_ns`."""

    position: int
    at_ns: int


@dataclass(slots=True)
class Sums:
    """Sums that grow at some positions: up to a position, how much."""

    positions: array[int] = field(default_factory=lambda: array("I"))
    totals: tuple[array[int], ...] = ()

    def add(self, position: int, *amounts: int) -> None:
        """Add amounts at a position, which is not before the last one."""
        if not self.totals:
            self.totals = tuple(array("q") for _ in amounts)
        for total, amount in zip(self.totals, amounts, strict=True):
            total.append((total[-1] if total else 0) + amount)
        self.positions.append(position)

    def up_to(self, position: int, which: int = 0) -> int:
        """Return the sum of all before a position."""
        at = bisect_left(self.positions, position)
        return self.totals[which][at - 1] if at else 0

    def last_before(self, position: int, which: int) -> int | None:
        """Return the last position before one where a sum grew; None where there is none."""
        at = bisect_left(self.positions, position)
        total = self.totals[which] if self.totals else ()
        while at and total[at - 1] == (total[at - 2] if at > 1 else 0):
            at -= 1
        return self.positions[at - 1] if at else None


def _positions() -> array[int]:
    return array("I")


@dataclass(slots=True)
class Track:
    """The steps of one socket, or one thread."""

    positions: array[int] = field(default_factory=_positions)
    fruitful: array[int] = field(default_factory=_positions)
    moved: Sums = field(default_factory=Sums)
    folded: Sums = field(default_factory=Sums)

    def calls(self, position: int) -> int:
        """Return how many calls came to an end before a position, folded ones counted in."""
        return bisect_left(self.positions, position) + self.folded.up_to(position)

    def fruitless(self, position: int) -> int:
        """Return how many of them were for nothing."""
        return self.calls(position) - bisect_left(self.fruitful, position)

    def last_before(self, position: int) -> int | None:
        """Return the last step before a position."""
        at = bisect_left(self.positions, position)
        return self.positions[at - 1] if at else None


class Timeline:
    """The steps of one run. Made by `load_timeline`; nothing in it changes."""

    def __init__(self, end_ns: int) -> None:
        self.end_ns = end_ns
        self.ids, self.starts, self.ends = array("q"), array("q"), array("q")
        self.kinds = array("I")
        self.signatures: list[Signature] = []
        self.folds: list[Fold] = []
        self.whole = Track()
        self.sockets: dict[int, Track] = {}
        self.threads: dict[int, Track] = {}
        self._least: list[array[int]] = []

    def __len__(self) -> int:
        return len(self.ids)

    def calls(self, position: int) -> int:
        """Return how many calls came to an end before a position, folded ones counted in."""
        return position + self.whole.folded.up_to(position)

    def fruitless(self, position: int) -> int:
        """Return how many of them were for nothing."""
        return self.calls(position) - bisect_left(self.whole.fruitful, position)

    def signature(self, position: int) -> Signature:
        """Return what the step at a position was."""
        return self.signatures[self.kinds[position]]

    def at_call(self, position: int) -> Playhead:
        """Return the moment at which so many steps had just come to an end."""
        position = min(max(position, 0), len(self))
        return Playhead(position, self.ends[position - 1] if position else 0)

    def at_time(self, at_ns: int) -> Playhead:
        """Return a moment of the clock."""
        at_ns = min(max(at_ns, 0), max(self.end_ns, self.ends[-1] if self.ends else 0))
        return Playhead(bisect_right(self.ends, at_ns), at_ns)

    def step(self, head: Playhead, steps: int) -> Playhead:
        """Return the playhead so many calls on, or back (below 0); where the clock runs between two calls, back is to the last end."""
        aligned = self.at_call(head.position)
        if steps < 0 and head.at_ns > aligned.at_ns:
            steps += 1
        return self.at_call(head.position + steps)

    def step_half(self, head: Playhead) -> Playhead:
        """Return the next moment at which a call begins or ends."""
        if head.position >= len(self):
            return head
        start_ns = self.starts[head.position]
        return Playhead(head.position, start_ns) if start_ns > head.at_ns else self.at_call(head.position + 1)

    def step_fruitful(self, head: Playhead, forwards: bool) -> Playhead:
        """Return the moment after the next call that came to something, or after the one before."""
        fruitful = self.whole.fruitful
        if forwards:
            at = bisect_left(fruitful, head.position)
            return self.at_call(fruitful[at] + 1 if at < len(fruitful) else len(self))
        at = bisect_left(fruitful, head.position - 1 if head == self.at_call(head.position) else head.position) - 1
        return self.at_call(fruitful[at] + 1 if at >= 0 else 0)

    def stretch(self, position: int) -> tuple[int, int]:
        """Return the spin that a step belongs to, first and behind the last; a fruitful step is one by itself."""
        fruitful = self.whole.fruitful
        at = bisect_left(fruitful, position)
        if at < len(fruitful) and fruitful[at] == position:
            return position, position + 1
        return (fruitful[at - 1] + 1 if at else 0), (fruitful[at] if at < len(fruitful) else len(self))

    def find(self, position: int, wanted: Callable[[Signature], bool], forwards: bool = True, stop: int | None = None) -> int | None:
        """Return the next step from a position on (or the last before it) whose signature is wanted; None where there is none.

        Args:
            stop: look no further than this position.
        """
        chosen = {number for number, signature in enumerate(self.signatures) if wanted(signature)}
        if not chosen:
            return None
        last = len(self) if stop is None else min(stop, len(self))
        places: Iterable[int] = range(position, last) if forwards else range(position - 1, -1, -1)
        kinds = self.kinds
        return next((place for place in places if kinds[place] in chosen), None)

    def open_at(self, head: Playhead) -> list[int]:
        """Return the positions of all steps that have begun and not come to an end."""
        return self._begun(head.position, len(self), head.at_ns, len(self._least) - 1)

    def _begun(self, first: int, behind: int, at_ns: int, level: int) -> list[int]:
        """Return the positions in [first, behind) of steps that have begun by a moment, skipping blocks in which none has."""
        values = self._least[level] if level >= 0 else self.starts
        width = _BLOCK ** (level + 1)
        places = [place for place in range(first // width, -(-behind // width)) if values[place] <= at_ns]
        if level < 0:
            return places
        return [found for place in places
                for found in self._begun(max(first, place * width), min(behind, (place + 1) * width), at_ns, level - 1)]

    def index_starts(self) -> None:
        """Note the least start of every block of steps, of every block of blocks, and so on: `open_at` needs it."""
        values = self.starts
        while len(values) > _BLOCK:
            values = array("q", (min(values[at : at + _BLOCK]) for at in range(0, len(values), _BLOCK)))
            self._least.append(values)


EVER = Window(-(2**63), 2**63 - 1)
"""All of a run."""


def load_timeline(reader: Reader, window: Window = EVER) -> Timeline:
    """Read every call of a run, or of a window of it, about two seconds for a million.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        return _Builder(reader, window).build()
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(reader.trace, error) from error


class _Builder:
    """A timeline while it is being read: first in the order of the tape, then by the end of each step."""

    def __init__(self, reader: Reader, window: Window) -> None:
        self.reader = reader
        self.window = window
        self.line = Timeline(reader.end_ns)
        self._numbers: dict[Signature, int] = {}
        self._received, self._sent = array("q"), array("q")

    def build(self) -> Timeline:
        line = self.line
        self._read_calls()
        self._read_folds()
        ends, order = line.ends, range(len(line.ids))
        if any(ends[at] > ends[at + 1] for at in range(len(ends) - 1)):
            order_by_end = sorted(order, key=ends.__getitem__)
            for holder, names in ((line, ("ids", "starts", "ends", "kinds")), (self, ("_received", "_sent"))):
                for name in names:
                    old = getattr(holder, name)
                    setattr(holder, name, array(old.typecode, map(old.__getitem__, order_by_end)))
        self._index()
        line.index_starts()
        return line

    def _number(self, signature: Signature) -> int:
        found = self._numbers.get(signature)
        if found is None:
            found = self._numbers[signature] = len(self.line.signatures)
            self.line.signatures.append(signature)
        return found

    def _read_calls(self) -> None:
        line = self.line
        numbers: dict[tuple[int | None, ...], int] = {}
        for row in self.reader.steps(self.window):
            id_, thread, socket, operation, outcome, site, started_ns, ended_ns, fruitless, received, sent = row
            key = (thread, socket, operation, outcome, site, fruitless)
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = self._number(Signature(thread, socket, operation, outcome, site, bool(fruitless)))
            self._received.append(received)
            self._sent.append(sent)
            line.ids.append(id_)
            line.starts.append(started_ns)
            line.ends.append(max(started_ns, line.end_ns if ended_ns is None else ended_ns))
            line.kinds.append(number)

    def _read_folds(self) -> None:
        line = self.line
        for fold, operation_id, site_id in self.reader.folds_with_ids(self.window):
            line.folds.append(fold)
            self._received.append(0)
            self._sent.append(0)
            line.ids.append(-len(line.folds))
            line.starts.append(fold.first_ns)
            line.ends.append(max(fold.first_ns, fold.last_ns))
            line.kinds.append(self._number(Signature(fold.thread_id, fold.socket_id, operation_id, 1, site_id, True)))

    def _index(self) -> None:
        line, signatures = self.line, self.line.signatures
        tracks = [(line.whole, line.threads.setdefault(signature.thread_id, Track()),
                   line.sockets.setdefault(signature.socket_id, Track()) if signature.socket_id is not None else None, signature.fruitless)
                  for signature in signatures]
        for position, number in enumerate(line.kinds):
            whole, thread, socket, fruitless = tracks[number]
            thread.positions.append(position)
            if socket is not None:
                socket.positions.append(position)
            if not fruitless:
                whole.fruitful.append(position)
                if socket is not None:
                    socket.fruitful.append(position)
        for position, (received, sent) in enumerate(zip(self._received, self._sent, strict=True)):
            if received or sent:
                for track in self._summed(tracks, position):
                    track.moved.add(position, received, sent)
        for position, id_ in enumerate(line.ids if line.folds else ()):
            if id_ < 0:
                for track in self._summed(tracks, position):
                    track.folded.add(position, line.folds[-id_ - 1].calls - 1)

    def _summed(self, tracks: list[tuple[Track, Track, Track | None, bool]], position: int) -> tuple[Track, ...]:
        whole, _, socket, _ = tracks[self.line.kinds[position]]
        return (whole, socket) if socket else (whole,)
