"""A run too long to be played in one piece, cut into stretches: where each begins, and how things stood there.

Owns the cutting. A run is counted once, some six seconds for ten million calls; every stretch after that is read by itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ..reading import Reader
from ..values import Window

PIECES = 2_048
"""A run is counted in so many pieces of equal length; a stretch is one of them, or several."""
STEPS_AT_ONCE = 100_000
"""A stretch has no more steps than these, where no single piece has more."""

Counts = tuple[int, int, int, int]  # calls, fruitless ones among them, bytes received, bytes sent


@dataclass(frozen=True)
class Before:
    """What had come to an end before a moment: steps, of how many in all, and what they did, in sum and per socket."""

    position: int
    of: int
    whole: Counts
    sockets: dict[int, Counts]

    def told(self) -> dict[str, Any]:
        """Return it as the page's scripts read it."""
        calls, fruitless, received, sent = self.whole
        return {"position": self.position, "calls": calls, "fruitless": fruitless, "received": received, "sent": sent,
                "sockets": [[id_, *counts] for id_, counts in self.sockets.items()]}


class Stretches:
    """The stretches of a run, in order; made by counting all its calls.

    Args:
        reader: the run.
        most: steps of a stretch.
        pieces: in which the run is counted.

    Raises:
        TraceError: the trace is damaged.
    """

    def __init__(self, reader: Reader, most: int = STEPS_AT_ONCE, pieces: int = PIECES) -> None:
        self.end_ns = max(1, reader.end_ns)
        self._width_ns = max(1, -(-self.end_ns // pieces))
        self._pieces = _count(reader, self._width_ns)
        last = self.end_ns // self._width_ns
        steps = [self._pieces[piece][0] if piece in self._pieces else 0 for piece in range(last + 1)]
        self._first = _cut(steps, most)
        self._steps = [0, *accumulate(steps)]

    def around(self, at_ns: int) -> tuple[Window, Before]:
        """Return the stretch that a moment lies in, and how things stood before it; what ends at its end belongs to it."""
        return self._stretch(bisect_right(self._first, max(0, at_ns - 1) // self._width_ns) - 1)

    def with_step(self, position: int) -> tuple[Window, Before]:
        """Return the stretch in which so many steps have come to an end."""
        piece = bisect_left(self._steps, max(1, position), hi=len(self._steps) - 1) - 1
        return self._stretch(bisect_right(self._first, piece) - 1)

    def _stretch(self, number: int) -> tuple[Window, Before]:
        number = min(max(number, 0), len(self._first) - 1)
        first = self._first[number]
        last = number + 1 == len(self._first)
        end_ns = self.end_ns if last else self._first[number + 1] * self._width_ns
        sockets: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for piece, (_, counted) in self._pieces.items():
            if piece < first:
                for id_, counts in counted.items():
                    sockets[id_] = [one + other for one, other in zip(sockets[id_], counts, strict=True)]
        whole = tuple(map(sum, zip(*sockets.values(), strict=True))) if sockets else (0, 0, 0, 0)
        calls, fruitless, received, sent = whole
        return Window(first * self._width_ns, end_ns), Before(
            self._steps[first], self._steps[-1], (calls, fruitless, received, sent),
            {id_: (counts[0], counts[1], counts[2], counts[3]) for id_, counts in sockets.items() if id_})


def _count(reader: Reader, width_ns: int) -> dict[int, tuple[int, dict[int, Counts]]]:
    """Return, per piece of a run, the steps that ended in it, and what they did per socket (0: none)."""
    found: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0, 0, 0]))
    steps: dict[int, int] = defaultdict(int)

    def add(piece: int, socket_id: int, counted: Sequence[int], number: int) -> None:
        own = found[max(0, piece)][socket_id]
        for index, count in enumerate(counted):
            own[index] += count
        steps[max(0, piece)] += number

    for row in reader.trace.named("stretches_of_run", run=reader.run.id, width=width_ns):
        add(row["stretch"], row["socket_id"], (row["calls"], row["fruitless"], row["received_bytes"], row["sent_bytes"]), row["calls"])
    for row in reader.trace.named("stretches_would_block", run=reader.run.id, width=width_ns):
        add(row["stretch"], row["socket_id"], (row["calls"], row["calls"], 0, 0), row["calls"])
    for fold in reader.folds(Window(0, 2**63 - 1)):
        add((max(fold.first_ns, fold.last_ns) - 1) // width_ns, fold.socket_id or 0, (fold.calls, fold.calls, 0, 0), 1)
    return {piece: (steps[piece], {id_: (own[0], own[1], own[2], own[3]) for id_, own in sockets.items()})
            for piece, sockets in found.items()}


def _cut(steps: Sequence[int], most: int) -> list[int]:
    """Return the first piece of every stretch."""
    first, here = [0], 0
    for piece, count in enumerate(steps):
        if here and here + count > most:
            first.append(piece)
            here = 0
        here += count
    return first
