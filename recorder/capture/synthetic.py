"""Packets that recorded calls may have been carried by, where none were captured.

Owns that invention, which says of itself what it is: one handshake, one segment for each call that moved bytes (of 65,000 at
most), one FIN; times are those of calls, sequence numbers begin at 0. What the trace does not hold of a payload is missing
from its packet as from one that was cut. Memory: what of calls is under way at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...traces.excerpt import Excerpt
from ...traces.packet_rows import SocketRow
from .making import make_tcp, make_udp
from .wire import ACK, FIN, PSH, RST, SYN, packed_address

_MOST_BYTES = 65_000
_MOST_MOVED = 1 << 36  # by one call: no packets are made of what nobody waits for
_PEEK = 2
_LATE_NS = 1_000_000_000  # ids of calls follow their times so closely
_FOREVER = 1 << 62

Pair = tuple[bytes, bytes]


@dataclass(frozen=True)
class Made:
    """A packet that was made: when (run time), the frame, its length, the call that it was made from, and how."""

    at_ns: int
    frame: bytes
    length: int
    call: dict[str, Any]
    about: str


@dataclass
class _Connection:
    """A connection as far as it is told: the ends in the order of its key, the next sequence number of each."""

    ends: Pair
    next_seq: list[int]
    is_open: bool = False
    has_ended: list[bool] = field(default_factory=lambda: [False, False])

    def segment(self, sender: bytes, flags: int, data: bytes = b"", size: int = 0) -> tuple[bytes, int]:
        """Return the next segment of one end."""
        side = 0 if sender == self.ends[0] else 1
        ack = self.next_seq[1 - side] if flags & ACK else 0
        frame = make_tcp(sender, self.ends[1 - side], self.next_seq[side], ack, flags, data, size)
        self.next_seq[side] += size + bool(flags & (SYN | FIN))
        return frame


class Synthesis:
    """Makes packets of a run's calls.

    Args:
        excerpt: packets in its window are yielded.

    `left_out`: calls that moved bytes and of which no packet can be made: no TCP or UDP, or addresses that are not known.
    """

    def __init__(self, excerpt: Excerpt) -> None:
        self._excerpt = excerpt
        rows = [SocketRow(*row) for row in excerpt.trace.named("packet_sockets", run=excerpt.run.id)]
        self._sockets = {row.id: row for row in rows}
        self._pairs = {row.id: pair for row in rows if (pair := _pair_of(row)) is not None}
        self._ours = {pair for row_id, pair in self._pairs.items() if self._sockets[row_id].kind == "tcp"}
        self._locals = {local for row in rows if row.kind == "udp" and (local := packed_address(row.local)) is not None}
        self._holders: dict[Pair, list[SocketRow]] = {}
        for row_id, pair in self._pairs.items():
            self._holders.setdefault(pair, []).append(self._sockets[row_id])
        self._connections: dict[frozenset[bytes], _Connection] = {}
        self._due: list[tuple[int, int, Callable[[], Iterable[Made]]]] = []
        self._greeted: dict[frozenset[bytes], int] = {}  # when the handshake of a pair is told to have ended
        self._count = 0
        self._sendfiles: set[int] = set()
        self.left_out = 0

    def packets(self) -> Iterator[Made]:
        """Yield the packets in the order of time."""
        excerpt = self._excerpt
        whole = Excerpt(excerpt.trace, excerpt.run, payload=excerpt.payload)
        for call in whole.calls():
            yield from self._until(call["started_ns"] - _LATE_NS)
            self._take(call)
        yield from self._until(_FOREVER)

    def _until(self, at_ns: int) -> Iterator[Made]:
        while self._due and self._due[0][0] <= at_ns:
            for made in heapq.heappop(self._due)[2]():
                if self._excerpt.start_ns <= made.at_ns < self._excerpt.end_ns:
                    yield made

    def _at(self, at_ns: int, make: Callable[[], Iterable[Made]]) -> None:
        heapq.heappush(self._due, (at_ns, self._count, make))
        self._count += 1

    # Calls.

    def _take(self, call: dict[str, Any]) -> None:
        operation, outcome, result = call["operation"], call["outcome"], call["result"]
        if operation == "accept" and outcome == "ok":
            self._handshake(call, self._pairs.get(result or 0), is_accept=True)
        elif operation in ("connect", "connect_ex") and outcome in ("ok", "in_progress") and call["kind"] == "tcp":
            self._handshake(call, self._pairs.get(call["socket_id"]), is_accept=False)
        elif operation == "close" or operation == "shutdown":
            self._end(call)
        elif operation.startswith(("recv", "read", "tls_recv")):
            self._receive(call)
        elif operation.startswith(("send", "write", "tls_send")):
            if operation == "sendfile":
                self._sendfiles.add(call["id"])
            if outcome == "ok" and (result or call["kind"] == "udp") and call["parent_id"] not in self._sendfiles:
                self._send(call)

    def _receive(self, call: dict[str, Any]) -> None:
        result, ended_ns = call["result"] or 0, _end_of(call)
        pair = self._pairs.get(call["socket_id"])
        if (call["flags"] or 0) & _PEEK or call["outcome"] not in ("ok", "eof", "reset"):
            return
        if call["kind"] == "udp":
            self._receive_datagram(call)
        elif call["kind"] != "tcp" or pair is None:
            self.left_out += bool(result)
        elif pair[::-1] in self._ours:
            return  # the other end is recorded, too, and says it better
        elif call["outcome"] == "eof":
            self._at(ended_ns, lambda: self._close_made(call, pair[::-1], FIN, ended_ns))
        elif call["outcome"] == "reset":
            self._at(ended_ns, lambda: self._close_made(call, pair[::-1], RST, ended_ns))
        elif result:
            self._move(call, pair[::-1], call["ready_ns"] if call["ready_ns"] is not None else ended_ns)

    def _send(self, call: dict[str, Any]) -> None:
        pair = self._pairs.get(call["socket_id"])
        if call["kind"] == "udp":
            self._send_datagram(call)
        elif call["kind"] == "tcp" and pair is not None:
            self._move(call, pair, call["started_ns"])
        else:
            self.left_out += 1

    def _move(self, call: dict[str, Any], pair: Pair, at_ns: int) -> None:
        if call["result"] > _MOST_MOVED:
            self.left_out += 1
            return
        at_ns = max(at_ns, self._greeted.get(frozenset(pair), at_ns))
        self._at(at_ns, partial(self._segments, call, pair, at_ns))

    def _segments(self, call: dict[str, Any], pair: Pair, at_ns: int) -> Iterator[Made]:
        data, size = call["payload"] or b"", call["result"]
        for first in range(0, size, _MOST_BYTES):
            length = min(_MOST_BYTES, size - first)
            yield from self._segment(call, pair, data[first : first + length], length, at_ns)

    def _segment(self, call: dict[str, Any], pair: Pair, data: bytes, size: int, at_ns: int) -> list[Made]:
        connection = self._connection(pair)
        connection.is_open = True
        missing = f", {size - len(data):,} of its {size:,} bytes are not in the trace" if len(data) < size else ""
        return [Made(at_ns, *connection.segment(pair[0], PSH | ACK, data, size), call, f"from what the call moved{missing}")]

    # Beginning and end.

    def _connection(self, pair: Pair) -> _Connection:
        key = frozenset(pair)
        if key not in self._connections:
            self._connections[key] = _Connection(pair, [0, 0])
        return self._connections[key]

    def _handshake(self, call: dict[str, Any], pair: Pair | None, is_accept: bool) -> None:
        if pair is None:
            return
        client, server = pair[::-1] if is_accept else pair
        at_ns = call["ready_ns"] if call["ready_ns"] is not None else _end_of(call)
        at_ns = at_ns if is_accept else call["started_ns"]
        if pair[::-1] not in self._ours or not is_accept:  # else the end that connects tells it
            self._greeted[frozenset(pair)] = at_ns + 3
            self._at(at_ns, lambda: self._greet(call, client, server, at_ns))

    def _greet(self, call: dict[str, Any], client: bytes, server: bytes, at_ns: int) -> list[Made]:
        self._connections.pop(frozenset((client, server)), None)
        connection = self._connection((client, server))
        connection.is_open = True
        steps = ((client, SYN), (server, SYN | ACK), (client, ACK))
        about = "a handshake, as there must have been one"
        return [Made(at_ns + step, *connection.segment(sender, flags), call, about) for step, (sender, flags) in enumerate(steps)]

    def _end(self, call: dict[str, Any]) -> None:
        pair = self._pairs.get(call["socket_id"])
        if call["kind"] != "tcp" or pair is None:
            return
        at_ns = call["started_ns"]
        if call["operation"] == "shutdown" and call["asked"] == 0:
            return  # SHUT_RD: nothing goes over the wire
        if call["operation"] == "close":
            held = [row for row in self._holders[pair] if row.id != call["socket_id"]]
            if any((row.opened_ns or 0) <= at_ns < (_FOREVER if row.closed_ns is None else row.closed_ns) for row in held):
                return  # another descriptor holds it open
        self._at(at_ns, lambda: self._close_made(call, pair, FIN, at_ns))

    def _close_made(self, call: dict[str, Any], pair: Pair, flag: int, at_ns: int) -> list[Made]:
        connection = self._connection(pair)
        side = 0 if pair[0] == connection.ends[0] else 1
        if not connection.is_open or connection.has_ended[side]:
            return []
        connection.has_ended[side] = True
        if flag == RST:
            connection.has_ended = [True, True]
        return [Made(at_ns, *connection.segment(pair[0], flag | ACK), call, "an end, as the call tells of one")]

    # Datagrams.

    def _receive_datagram(self, call: dict[str, Any]) -> None:
        source = packed_address(call["peer"] or call["connection_peer"])
        if source is not None and source in self._locals:
            return  # its sender is recorded, too
        at_ns = call["ready_ns"] if call["ready_ns"] is not None else _end_of(call)
        self._datagram(call, source, packed_address(call["local"]), at_ns)

    def _send_datagram(self, call: dict[str, Any]) -> None:
        source, destination = packed_address(call["local"]), packed_address(call["peer"] or call["connection_peer"])
        if source is not None and source[-2:] == b"\0\0" and destination in self._locals:
            return  # its receiver knows the port that it came from
        self._datagram(call, source, destination, call["started_ns"])

    def _datagram(self, call: dict[str, Any], source: bytes | None, destination: bytes | None, at_ns: int) -> None:
        size, data = call["result"], call["payload"] or b""
        if source is None or destination is None or size is None or size > _MOST_BYTES:
            self.left_out += 1
            return
        if len(source) != len(destination):  # one of them is bound to any address of either family
            source, destination = _of_one_family(source, destination)
        missing = f", {size - len(data):,} of its {size:,} bytes are not in the trace" if len(data) < size else ""
        frame = make_udp(source, destination, data, size)
        self._at(at_ns, lambda: [Made(at_ns, *frame, call, f"from what the call moved{missing}")])


def _of_one_family(source: bytes, destination: bytes) -> Pair:
    if len(source) < len(destination):
        return (source, bytes(4) + destination[-2:]) if not any(destination[:-2]) else (_mapped(source), destination)
    return (bytes(4) + source[-2:], destination) if not any(source[:-2]) else (source, _mapped(destination))


def _mapped(address: bytes) -> bytes:
    return bytes(10) + b"\xff\xff" + address


def _pair_of(row: SocketRow) -> Pair | None:
    local, peer = packed_address(row.local), packed_address(row.peer)
    if local is None or peer is None:
        return None
    return (local, peer) if len(local) == len(peer) else _of_one_family(local, peer)


def _end_of(call: dict[str, Any]) -> int:
    return int(call["started_ns"] + (call["duration_ns"] or 0))
