"""The clients of a workload at any moment of a run, in time that hardly grows with their number.

Owns what is known from what clients asked and got: who waits, since when, who stands in a listener's queue, what lies
unread. Made once of the exchanges of a run; every question after that is a search by halves. Draws nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Any, NamedTuple

from ..values import Exchange

_NEVER_NS = 2**62


class ClientState(NamedTuple):
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


class _Client:
    """The exchanges of one client, and the moments at which they began and were over."""

    def __init__(self, own: Sequence[Exchange], rows: Mapping[int, Any]) -> None:
        self.own = own
        asked = [exchange for exchange in own if exchange.sent_ns is not None]
        self.sent = array("q", sorted(exchange.sent_ns or 0 for exchange in asked))
        self.over = array("q", sorted(_over_ns(exchange, rows) for exchange in asked))
        self.connected_ns = min((exchange.connected_ns for exchange in own if exchange.connected_ns is not None), default=_NEVER_NS)

    def waiting_since(self, at_ns: int, rows: Mapping[int, Any]) -> int | None:
        """Return since when it waits for an answer, None if it does not."""
        if bisect_right(self.sent, at_ns) == bisect_right(self.over, at_ns):
            return None
        return min((exchange.sent_ns for exchange in self.own
                    if exchange.sent_ns is not None and exchange.sent_ns <= at_ns < _over_ns(exchange, rows)), default=None)


def _over_ns(exchange: Exchange, rows: Mapping[int, Any]) -> int:
    """Return when nothing more can come of what was asked: it was answered, or its connection was closed."""
    sent_ns = exchange.sent_ns or 0
    if exchange.answered_ns is not None:
        return max(sent_ns, exchange.answered_ns)
    row = rows.get(exchange.socket_id or 0)
    return _NEVER_NS if row is None or row["closed_ns"] is None else max(sent_ns, row["closed_ns"])


class Crowd:
    """The clients of a run.

    Args:
        exchanges: what they asked and got.
        rows: the sockets of the run by id (sockets_of_run.sql).
    """

    def __init__(self, exchanges: Iterable[Exchange], rows: Mapping[int, Any]) -> None:
        by_client: dict[str, list[Exchange]] = {}
        to_socket: dict[int, list[tuple[int, int]]] = {}
        for exchange in exchanges:
            by_client.setdefault(exchange.client, []).append(exchange)
            if exchange.socket_id is not None:
                said = to_socket.setdefault(exchange.socket_id, [])
                if exchange.sent_ns is not None:
                    said.append((exchange.sent_ns, exchange.sent_bytes))
        self.rows = rows
        self.clients = {name: _Client(own, rows) for name, own in by_client.items()}
        self._said = {socket: _summed(said) for socket, said in to_socket.items()}
        self._queues = _accept_queues(by_client, rows)

    @property
    def listeners(self) -> Iterable[int]:
        """Listeners at which clients stood."""
        return self._queues

    def sent_to(self, socket_id: int, at_ns: int) -> int | None:
        """Return how many bytes the client of a socket had sent by a moment; None where nobody watched it."""
        said = self._said.get(socket_id)
        if said is None:
            return None
        at = bisect_right(said[0], at_ns)
        return said[1][at - 1] if at else 0

    def backlog(self, listener: int, at_ns: int) -> int:
        """Return how many clients had connected to a listener and were not yet taken up."""
        queue = self._queues.get(listener)
        return bisect_right(queue.came, at_ns) - bisect_right(queue.went, at_ns) if queue else 0

    def in_backlog(self, listener: int, at_ns: int, most: int) -> list[str]:
        """Return the names of the first of them, in the order of their coming."""
        queue = self._queues.get(listener)
        found: list[str] = []
        for came_ns, went_ns, name in queue.stays if queue else ():
            if came_ns > at_ns or len(found) == most:
                break
            if went_ns > at_ns:
                found.append(name)
        return found

    def client(self, name: str, at_ns: int) -> ClientState:
        """Return how things stood with a client."""
        one = self.clients[name]
        own = one.own
        begun = [exchange for exchange in own if exchange.connected_ns is not None and exchange.connected_ns <= at_ns]
        asked = [exchange for exchange in own if exchange.sent_ns is not None and exchange.sent_ns <= at_ns]
        answered = [exchange for exchange in asked if exchange.answered_ns is not None and exchange.answered_ns <= at_ns]
        current = (asked or begun or list(own))[-1]
        row = self.rows.get(current.socket_id or 0)
        waiting_ns = one.waiting_since(at_ns, self.rows)
        failed = next((exchange.result for exchange in asked
                       if exchange.answered_ns is None and _over_ns(exchange, self.rows) <= at_ns), None) if waiting_ns is None else None
        return ClientState(
            name, current.socket_id, bool(begun), row is not None and (row["opened_ns"] or 0) <= at_ns, len(asked), len(answered),
            waiting_ns, failed, sum(exchange.sent_bytes for exchange in asked), sum(exchange.answered_bytes for exchange in answered))

    def first(self, at_ns: int, most: int) -> list[ClientState]:
        """Return so many clients: all in their order, or of a crowd those who wait, longest first, then those who are here."""
        names: Iterable[str] = self.clients
        if len(self.clients) > most:
            def urgency(name: str) -> tuple[bool, int, bool]:
                one = self.clients[name]
                since_ns = one.waiting_since(at_ns, self.rows)
                return since_ns is None, since_ns or 0, one.connected_ns > at_ns
            names = nsmallest(most, self.clients, key=urgency)
        return [self.client(name, at_ns) for name in names]


class _Queue(NamedTuple):
    """Who stood in a listener's queue: stays in the order of coming, and the moments of coming and going, sorted."""

    stays: list[tuple[int, int, str]]
    came: array[int]
    went: array[int]


def _accept_queues(by_client: Mapping[str, Sequence[Exchange]], rows: Mapping[int, Any]) -> dict[int, _Queue]:
    listeners = [id_ for id_, row in rows.items() if row["role"] == "listener"]
    stays: dict[int, dict[tuple[str, int], int]] = {}
    for name, own in by_client.items():
        for exchange in own:
            if exchange.connected_ns is None:
                continue
            row = rows.get(exchange.socket_id or 0)
            taken_ns = _NEVER_NS if row is None else row["opened_ns"] or 0
            listener = (row["parent_id"] if row is not None else None) or (listeners[0] if len(listeners) == 1 else None)
            if listener is not None and taken_ns > exchange.connected_ns:
                stays.setdefault(listener, {})[name, exchange.connected_ns] = taken_ns
    found = {}
    for listener, own_stays in stays.items():
        ordered = sorted((came_ns, went_ns, name) for (name, came_ns), went_ns in own_stays.items())
        found[listener] = _Queue(ordered, array("q", (came_ns for came_ns, _, _ in ordered)),
                                 array("q", sorted(went_ns for _, went_ns, _ in ordered)))
    return found


def _summed(said: list[tuple[int, int]]) -> tuple[array[int], array[int]]:
    """Return the moments, in order, and how much had been said by each."""
    moments, sums, total = array("q"), array("q"), 0
    for at_ns, size in sorted(said):
        total += size
        moments.append(at_ns)
        sums.append(total)
    return moments, sums
