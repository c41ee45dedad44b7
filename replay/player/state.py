"""How things stand at one moment of a run: sockets, clients, queues, calls in progress, counters.

A state is computed from the timeline and the moment alone, never from the state before: whichever way a
moment is reached, it shows the same. Owns what a state holds. Knows nothing of screens.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import nsmallest
from typing import NamedTuple

from ..cast import Cast, load_cast
from ..language import Language
from ..listing import Entry, shape_of_fold
from ..queue import load_queues
from ..reading import Fold, Reader
from ..values import Exchange, Span, Window
from .crowd import ClientState, Crowd
from .timeline import EVER, Playhead, Timeline, load_timeline


class SocketState(NamedTuple):
    """One socket at a moment.

    Args:
        queued_bytes: that had come to it by then and the program had not read; None where nobody saw what came.
        queued_by: how that is known: packet (captured), sender (a recorded peer), client (the workload); None: it is not.
        backlog: of a listener: clients that had connected and were not yet taken up; None where no client was watched.
        last_position: the step that was the last one on it; None before the first.
    """

    id: int
    name: str
    role: str
    open: bool
    closed: bool
    calls: int
    fruitless: int
    received_bytes: int
    sent_bytes: int
    queued_bytes: int | None
    queued_by: str | None
    backlog: int | None
    last_position: int | None


@dataclass(frozen=True)
class State:
    """A run at a moment: counters count what had come to an end by then; `cpu_ns` is None where nobody looked.

    Of thousands of sockets and clients only those are reckoned that somebody asks for.
    """

    head: Playhead
    calls: int
    fruitless: int
    received_bytes: int
    sent_bytes: int
    cpu_ns: int | None
    in_progress: tuple[int, ...]
    open_ids: tuple[int, ...]
    play: Play = field(repr=False, compare=False)

    @property
    def sockets(self) -> tuple[SocketState, ...]:
        """All that had been opened, oldest first."""
        return tuple(self.play.socket(id_, self.head) for id_, opened_ns, _, _ in self.play.lives if opened_ns <= self.head.at_ns)

    @property
    def open_sockets(self) -> tuple[SocketState, ...]:
        """Those that were open."""
        return tuple(self.play.socket(id_, self.head) for id_ in self.open_ids)

    @property
    def clients(self) -> tuple[ClientState, ...]:
        """All clients of the workload."""
        return tuple(self.play.crowd.client(name, self.head.at_ns) for name in self.play.crowd.clients)

    def under_way(self) -> tuple[tuple[int, ...], ...]:
        """The steps in progress: each call by itself, what of a stretch of one thread was only counted together, for it took turns."""
        line = self.play.line
        found: dict[int, list[int]] = {}
        for position in self.in_progress:
            counted = line.ids[position] < 0
            found.setdefault(-line.signature(position).thread_id - 1 if counted else position, []).append(position)
        return tuple(map(tuple, found.values()))

    def lately(self, most: int) -> list[SocketState]:
        """Return so many sockets, open ones first, of these those that were used last; the oldest first."""
        at_ns, position = self.head.at_ns, self.head.position

        def last(life: Life) -> tuple[bool, int]:
            _, _, closed_ns, positions = life
            before = bisect_left(positions, position)
            return closed_ns <= at_ns, -(positions[before - 1] if before else 0)

        here = (life for life in self.play.lives if life[1] <= at_ns)
        chosen = sorted(nsmallest(most, here, key=last), key=lambda life: (life[2] <= at_ns, life[0]))
        return [self.play.socket(life[0], self.head) for life in chosen]

    def queues(self) -> Iterator[tuple[int, int, str]]:
        """Yield the open sockets of which it is known what lies unread: id, bytes, how that is known."""
        for id_ in self.open_ids:
            queued, by = self.play.queued(id_, self.head)
            if queued is not None and by is not None:
                yield id_, queued, by


Life = tuple[int, int, int, "array[int]"]
"""A socket: its id, when it was opened and closed (ns), the positions of its steps."""
QueueLevels = tuple["array[int]", "array[int]", str]
"""A queue: the moments (ns) from which on so many bytes lay in it, and how that is known."""
_NEVER_NS = 2**62
_NO_POSITIONS = array("I")


class Play:
    """A run that can be asked for its state at any moment. Reads single calls from the trace when they are looked at.

    Args:
        reader: its trace stays open as long as this is used.
        payloads: whether what calls moved may be shown.
        window: only the calls that touch it are steps.

    `answers` are the moments (ns) at which exchanges ended, in order; `answered` whose they were: client and number.
    """

    def __init__(self, reader: Reader, language: Language, payloads: bool = True, window: Window = EVER) -> None:
        self.reader = reader
        self.payloads = payloads
        self.line: Timeline = load_timeline(reader, window)
        self.cast: Cast = load_cast(reader, language)
        self.exchanges = self.cast.exchanges
        self.crowd = Crowd(self.exchanges, reader.sockets)
        ends = _ends(self.exchanges)
        self.answers = tuple(at_ns for at_ns, _, _ in ends)
        self.answered = tuple((client, n) for _, client, n in ends)
        self.answer_ns = {(client, n): at_ns for at_ns, client, n in ends}
        self.lives: list[Life] = [
            (id_, row["opened_ns"] or 0, _NEVER_NS if row["closed_ns"] is None else row["closed_ns"],
             self.line.sockets[id_].positions if id_ in self.line.sockets else _NO_POSITIONS) for id_, row in reader.sockets.items()]
        told = load_queues(reader.trace, reader.run, reader.sockets)
        self._levels: dict[int, QueueLevels] = {
            id_: (array("q", (level.at_ns for level in own)), array("q", (level.queued_bytes for level in own)), own[0].source)
            for id_, own in told.items()}
        self._cpu = [points for points, _, _ in reader.cpu_points()]
        self.span = lru_cache(maxsize=4096)(self._span)
        self.entry = lru_cache(maxsize=512)(self._entry)
        self.payload = lru_cache(maxsize=512)(self._payload)
        self.source = lru_cache(maxsize=64)(reader.sources)

    def state(self, head: Playhead) -> State:
        """Return how things stood at a moment."""
        line, at_ns = self.line, head.at_ns
        whole = line.whole.moved
        return State(
            head, line.calls(head.position), line.fruitless(head.position), whole.up_to(head.position), whole.up_to(head.position, 1),
            self.cpu_ns(at_ns), tuple(line.open_at(head)),
            tuple(id_ for id_, opened_ns, closed_ns, _ in self.lives if opened_ns <= at_ns < closed_ns), self)

    def socket(self, id_: int, head: Playhead) -> SocketState:
        """Return how things stood with a socket."""
        row, track, position = self.reader.sockets[id_], self.line.sockets.get(id_), head.position
        closed = row["closed_ns"] is not None and row["closed_ns"] <= head.at_ns
        queued, by = self.queued(id_, head)
        watched = row["role"] == "listener" and bool(self.exchanges)
        return SocketState(
            id_, self.cast.short.get(id_, f"socket {id_}"), str(row["role"] or row["kind"] or "other"), not closed, closed,
            track.calls(position) if track else 0, track.fruitless(position) if track else 0,
            track.moved.up_to(position) if track else 0, track.moved.up_to(position, 1) if track else 0, queued, by,
            self.crowd.backlog(id_, head.at_ns) if watched else None, track.last_before(position) if track else None)

    def queued(self, id_: int, head: Playhead) -> tuple[int | None, str | None]:
        """Return how many bytes had come to a socket and were not read, and how that is known: best by captured packets."""
        closed_ns = self.reader.sockets[id_]["closed_ns"]
        closed = closed_ns is not None and closed_ns <= head.at_ns
        levels = self._levels.get(id_)
        if levels is not None:
            at = bisect_right(levels[0], head.at_ns)
            return (levels[1][at - 1] if at and not closed else 0), levels[2]
        sent = self.crowd.sent_to(id_, head.at_ns)
        if sent is None:
            return None, None
        track = self.line.sockets.get(id_)
        received = track.moved.up_to(head.position) if track else 0
        return (0 if closed else max(0, sent - received)), "client"

    def queue_levels(self) -> dict[int, QueueLevels]:
        """Return of each socket what lay in its queue, where captured packets or a recorded sender tell."""
        return self._levels

    def cpu_ns(self, at_ns: int) -> int | None:
        """Return the CPU time of all processes up to a moment, between two samples in proportion."""
        if not self._cpu:
            return None
        return sum(_between(points, at_ns) for points in self._cpu)

    def speak(self, language: Language) -> None:
        """Go on in another language."""
        self.cast = load_cast(self.reader, language)

    def fold(self, position: int) -> Fold | None:
        """Return what a step counts, where it stands for calls of which no single one was kept."""
        id_ = self.line.ids[position]
        return self.line.folds[-id_ - 1] if id_ < 0 else None

    def _payload(self, position: int) -> tuple[int, bytes] | None:
        """Return the first bytes that a step moved: size, data; None where the trace does not hold them."""
        id_ = self.line.ids[position]
        return self.reader.payloads([id_]).get(id_) if self.payloads else None

    def _span(self, position: int) -> Span:
        """Return the step at a position as a call; a fold as if it were one."""
        fold = self.fold(position)
        id_ = self.line.ids[position]
        return self.reader.chosen((id_,))[id_] if fold is None else shape_of_fold(fold)

    def _entry(self, first: int, behind: int) -> Entry:
        """Return the steps of a stretch as one line of a log."""
        line = self.line
        spans = self.span(first), self.span(behind - 1)
        calls = line.calls(behind) - line.calls(first)
        counted = Counter(line.kinds[first:behind])
        what: Counter[tuple[str, int | None]] = Counter()
        for number, count in counted.items():
            signature = line.signatures[number]
            what[self.reader.operation(signature.operation_id), signature.socket_id] += count
        for position in range(first, behind) if line.folds else ():
            fold = self.fold(position)
            if fold is not None:
                what[fold.operation, fold.socket_id] += fold.calls - 1
        moved = self.payload(first) if calls == 1 and spans[0].bytes else None
        size, data = moved or (None, None)
        ordered = tuple((operation, socket, count) for (operation, socket), count in what.most_common())
        return Entry(spans[0], spans[1], calls, 0, ordered, size, data)


def _ends(exchanges: Sequence[Exchange]) -> list[tuple[int, str, int]]:
    """Return the moments (ns) at which exchanges ended, answered or asked for ever, each with its client and number."""
    moments = ((exchange.sent_ns if exchange.answered_ns is None else exchange.answered_ns, exchange) for exchange in exchanges)
    return sorted((at_ns, exchange.client, exchange.n) for at_ns, exchange in moments if at_ns is not None)


def _between(points: Sequence[tuple[int, int]], at_ns: int) -> int:
    """Return the CPU time at a moment."""
    after = bisect_right(points, (at_ns, 2**63))
    if not after:
        return 0
    before_ns, used_ns = points[after - 1]
    if after == len(points):
        return used_ns
    next_ns, then_ns = points[after]
    return used_ns + (then_ns - used_ns) * (at_ns - before_ns) // max(1, next_ns - before_ns)
