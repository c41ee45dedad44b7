"""How things stand at one moment of a run: sockets, clients, queues, calls in progress, counters.

A state is computed from the timeline and the moment alone, never from the state before: whichever way a
moment is reached, it shows the same. Owns what a state holds. Knows nothing of screens.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..cast import Cast, load_cast
from ..language import Language
from ..listing import Entry, shape_of_fold
from ..reading import Reader
from ..values import Exchange, Span
from .timeline import Playhead, Timeline, load_timeline


@dataclass(frozen=True, slots=True)
class SocketState:
    """One socket at a moment.

    Args:
        queued_bytes: that its client had sent by then and the program had not read; None where no client was watched.
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
    backlog: int | None
    last_position: int | None


@dataclass(frozen=True, slots=True)
class ClientState:
    """One client at a moment, as the workload saw it: what it asked and got, and since when it waits (ns); None: it does not."""

    name: str
    socket_id: int | None
    connected: bool
    accepted: bool
    asked: int
    answered: int
    waiting_since_ns: int | None
    failed: str | None
    sent_bytes: int
    answered_bytes: int


@dataclass(frozen=True, slots=True)
class State:
    """A run at a moment: counters count what had come to an end by then; `cpu_ns` is None where nobody looked."""

    head: Playhead
    calls: int
    fruitless: int
    received_bytes: int
    sent_bytes: int
    cpu_ns: int | None
    sockets: tuple[SocketState, ...]
    clients: tuple[ClientState, ...]
    in_progress: tuple[int, ...]

    @property
    def open_sockets(self) -> tuple[SocketState, ...]:
        """Those that were open."""
        return tuple(socket for socket in self.sockets if socket.open)


class Play:
    """A run that can be asked for its state at any moment. Reads single calls from the trace when they are looked at.

    Args:
        reader: its trace stays open as long as this is used.

    `answers` are the moments (ns) at which exchanges ended, in order; `answered` whose they were: client and number.
    """

    def __init__(self, reader: Reader, language: Language) -> None:
        self.reader = reader
        self.line: Timeline = load_timeline(reader)
        self.cast: Cast = load_cast(reader, language)
        self.exchanges = self.cast.exchanges
        ends = _ends(self.exchanges)
        self.answers = tuple(at_ns for at_ns, _, _ in ends)
        self.answered = tuple((client, n) for _, client, n in ends)
        self.answer_ns = {(client, n): at_ns for at_ns, client, n in ends}
        self._by_client: dict[str, list[Exchange]] = {}
        self._sent: dict[int, list[tuple[int, int]]] = {}
        for exchange in self.exchanges:
            self._by_client.setdefault(exchange.client, []).append(exchange)
            if exchange.socket_id is not None and exchange.sent_ns is not None:
                self._sent.setdefault(exchange.socket_id, []).append((exchange.sent_ns, exchange.sent_bytes))
        self._watched = {exchange.socket_id for exchange in self.exchanges if exchange.socket_id is not None}
        self._cpu = [points for points, _, _ in reader.cpu_points()]
        self.span = lru_cache(maxsize=4096)(self._span)
        self.entry = lru_cache(maxsize=512)(self._entry)
        self.payload = lru_cache(maxsize=512)(self._payload)
        self.source = lru_cache(maxsize=64)(reader.sources)

    def state(self, head: Playhead) -> State:
        """Return how things stood at a moment."""
        line = self.line
        whole = line.whole.moved
        backlogs = self._backlogs(head.at_ns)
        sockets = tuple(self._socket(id_, row, head, backlogs) for id_, row in self.reader.sockets.items()
                        if (row["opened_ns"] or 0) <= head.at_ns)
        return State(
            head, line.calls(head.position), line.fruitless(head.position), whole.up_to(head.position), whole.up_to(head.position, 1),
            self.cpu_ns(head.at_ns), sockets, tuple(self._client(name, own, head.at_ns) for name, own in self._by_client.items()),
            tuple(line.open_at(head)))

    def _socket(self, id_: int, row: Any, head: Playhead, backlogs: Counter[int | None]) -> SocketState:
        track = self.line.sockets.get(id_)
        closed = row["closed_ns"] is not None and row["closed_ns"] <= head.at_ns
        received = track.moved.up_to(head.position) if track else 0
        queued = None
        if id_ in self._watched:
            sent = sum(size for at_ns, size in self._sent.get(id_, ()) if at_ns <= head.at_ns)
            queued = 0 if closed else max(0, sent - received)
        listener = row["role"] == "listener"
        return SocketState(
            id_, self.cast.short.get(id_, f"socket {id_}"), str(row["role"] or row["kind"] or "other"), not closed, closed,
            track.calls(head.position) if track else 0, track.fruitless(head.position) if track else 0, received,
            track.moved.up_to(head.position, 1) if track else 0, queued,
            backlogs[id_] if listener and self.exchanges else None, track.last_before(head.position) if track else None)

    def _backlogs(self, at_ns: int) -> Counter[int | None]:
        """Return how many clients wait at each listener: connected, and not yet taken up."""
        listeners = [id_ for id_, row in self.reader.sockets.items() if row["role"] == "listener"]
        waiting: dict[tuple[str, int | None], int | None] = {}
        for exchange in self.exchanges:
            row = self.reader.sockets.get(exchange.socket_id or 0)
            if exchange.connected_ns is None or exchange.connected_ns > at_ns or (row is not None and (row["opened_ns"] or 0) <= at_ns):
                continue
            parent = row["parent_id"] if row is not None else None
            waiting[exchange.client, exchange.connected_ns] = parent or (listeners[0] if len(listeners) == 1 else None)
        return Counter(waiting.values())

    def _client(self, name: str, own: Sequence[Exchange], at_ns: int) -> ClientState:
        begun = [exchange for exchange in own if exchange.connected_ns is not None and exchange.connected_ns <= at_ns]
        asked = [exchange for exchange in own if exchange.sent_ns is not None and exchange.sent_ns <= at_ns]
        answered = [exchange for exchange in asked if exchange.answered_ns is not None and exchange.answered_ns <= at_ns]
        open_ = [exchange for exchange in asked if exchange.answered_ns is None or exchange.answered_ns > at_ns]
        current = (asked or begun or list(own))[-1]
        row = self.reader.sockets.get(current.socket_id or 0)
        gone = row is not None and row["closed_ns"] is not None and row["closed_ns"] <= at_ns
        failed = next((exchange.result for exchange in open_ if exchange.answered_ns is None and gone), None)
        return ClientState(
            name, current.socket_id, bool(begun), row is not None and (row["opened_ns"] or 0) <= at_ns, len(asked), len(answered),
            min((exchange.sent_ns or 0 for exchange in open_), default=None) if not failed else None, failed,
            sum(exchange.sent_bytes for exchange in asked), sum(exchange.answered_bytes for exchange in answered))

    def cpu_ns(self, at_ns: int) -> int | None:
        """Return the CPU time of all processes up to a moment, between two samples in proportion."""
        if not self._cpu:
            return None
        return sum(_between(points, at_ns) for points in self._cpu)

    def speak(self, language: Language) -> None:
        """Go on in another language."""
        self.cast = load_cast(self.reader, language)

    def _payload(self, position: int) -> tuple[int, bytes] | None:
        """Return the first bytes that a step moved: size, data; None where the trace does not hold them."""
        return self.reader.payloads([self.line.ids[position]]).get(self.line.ids[position])

    def _span(self, position: int) -> Span:
        """Return the step at a position as a call; a fold as if it were one."""
        id_ = self.line.ids[position]
        return shape_of_fold(self.line.folds[-id_ - 1]) if id_ < 0 else self.reader.chosen((id_,))[id_]

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
            if line.ids[position] < 0:
                fold = line.folds[-line.ids[position] - 1]
                what[fold.operation, fold.socket_id] += fold.calls - 1
        moved = self.reader.payloads([spans[0].call_id]).get(spans[0].call_id) if calls == 1 and spans[0].bytes else None
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
