"""Whose packets are whose: from a packet's addresses and time to the program's sockets.

Owns lives: one life is one socket of the kernel, with all descriptors of all processes that it had. The same pair of
addresses may come again; a new SYN tells where the next life begins. Knows sockets as rows, no packet but its headers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from ...traces.packet_rows import MovingCall, SocketRow
from .streams import Stream
from .wire import ACK, SYN, UDP, Segment, packed_address

_COPIES = ("duplicated", "inherited", "passed")
_FOREVER = 1 << 62
_SLACK_NS = 1_000_000
_ANY_HOSTS = (bytes(4), bytes(16))
_MOST_AT_ONCE = 16  # sends of one size to one address that may overlap
_MOST_KNOWN_PAIRS = 65536


@dataclass
class Datagrams:
    """Datagrams in one direction, a column each."""

    packets: array[int] = field(default_factory=lambda: array("q"))
    times: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    others: list[bytes] = field(default_factory=list)  # the other end's address

    def add(self, packet: int, at_ns: int, size: int, other: bytes) -> None:
        """Take one."""
        self.packets.append(packet)
        self.times.append(at_ns)
        self.sizes.append(size)
        self.others.append(other)


@dataclass
class Life:
    """One socket of the kernel.

    `id`: of the oldest of its rows. `established_ns`, `established_by`: when, and with which packet, the handshake was
    complete for it: an end that accepts has the acknowledgement of its answer, one that connects the answer.
    """

    id: int
    kind: str
    role: str | None
    local: bytes | None
    peer: bytes | None
    opened_ns: int
    closed_ns: int
    inbound: Stream = field(default_factory=Stream)
    outbound: Stream = field(default_factory=Stream)
    received: Datagrams = field(default_factory=Datagrams)
    sent: Datagrams = field(default_factory=Datagrams)
    established_ns: int | None = None
    established_by: int | None = None

    def begin(self) -> None:
        """Forget what was seen so far: a new connection begins between the same addresses."""
        self.inbound, self.outbound, self.established_ns = Stream(), Stream(), None


class Endpoints:
    """All TCP and UDP sockets of a run.

    Args:
        rows: of the sockets.
        sends: calls that sent datagrams: an unbound socket's own port is known by them alone.
    """

    def __init__(self, rows: Sequence[SocketRow], sends: Iterable[MovingCall]) -> None:
        self.life_of: dict[int, Life] = {}  # by the id of any of its rows
        self._pairs: dict[tuple[bytes, bytes], list[Life]] = {}
        self._locals: dict[bytes, list[Life]] = {}
        self._ports: dict[bytes, list[Life]] = {}  # bound to every address of the machine
        self._hosts: set[bytes] = set()
        self._now: dict[tuple[bytes, bytes], Life | None] = {}  # what the last packet of a pair belonged to
        self._openings: dict[tuple[bytes, bytes], int] = {}  # sequence number of the last SYN of a pair
        self._unbound: dict[tuple[bytes, int], list[tuple[int, int, Life]]] = {}
        for row in rows:
            self._take(row)
        self._index()
        self._note_unbound(sends)

    def _take(self, row: SocketRow) -> None:
        closed_ns = _FOREVER if row.closed_ns is None else row.closed_ns
        known = self.life_of.get(row.origin_id or 0) if row.origin in _COPIES else None
        if known is not None and known.kind == row.kind:
            known.closed_ns = max(known.closed_ns, closed_ns)
            known.local = known.local or packed_address(row.local)
            known.peer = known.peer or packed_address(row.peer)
            self.life_of[row.id] = known
            return
        local, peer = packed_address(row.local), packed_address(row.peer)
        self.life_of[row.id] = Life(row.id, row.kind, row.role, local, peer, row.opened_ns or 0, closed_ns)

    def _index(self) -> None:
        for life in sorted({life.id: life for life in self.life_of.values()}.values(), key=lambda life: (life.opened_ns, life.id)):
            if life.local is None:
                continue
            host, port = life.local[:-2], life.local[-2:]
            if host not in _ANY_HOSTS:
                self._hosts.add(host)
            if life.peer is not None:
                self._pairs.setdefault((life.local, life.peer), []).append(life)
            if life.kind == "udp" or life.role == "listener":
                if host in _ANY_HOSTS:
                    self._ports.setdefault(life.kind.encode() + port, []).append(life)
                else:
                    self._locals.setdefault(life.kind.encode() + life.local, []).append(life)

    def _note_unbound(self, sends: Iterable[MovingCall]) -> None:
        for call in sends:
            life = self.life_of.get(call.socket_id)
            if life is None or life.kind != "udp" or (life.local is not None and life.local[-2:] != b"\0\0"):
                continue
            to, ended_ns = packed_address(call.peer), call.ended_ns
            if to is not None and ended_ns is not None and call.outcome == "ok" and call.result is not None:
                self._unbound.setdefault((to, call.result), []).append((call.started_ns, ended_ns, life))

    # Packets.

    def of_segment(self, segment: Segment, at_ns: int) -> tuple[Life | None, Life | None]:
        """Return the socket that a packet reached, and the one it left; None: not the program's.

        Args:
            at_ns: when, in the run's time. Packets are given in the order in which they were seen.
        """
        source, destination = segment.source, segment.destination
        if segment.protocol == UDP:
            return self._of_datagram(destination, source, at_ns), self._of_sent_datagram(segment, at_ns)
        reached, left = (destination, source), (source, destination)
        if segment.flags & SYN:
            self._open(segment, at_ns)
        return self._of_pair(reached, at_ns), self._of_pair(left, at_ns)

    def _open(self, segment: Segment, at_ns: int) -> None:
        """Begin a new connection where a SYN is not the one that was seen already."""
        pair = (segment.source, segment.destination)
        if self._openings.get(pair) == segment.seq or (pair not in self._now and not self._is_ours(pair)):
            return
        self._openings[pair] = segment.seq
        if segment.flags & ACK:
            return
        for key in (pair, pair[::-1]):
            self._now.pop(key, None)
            life = self._of_pair(key, at_ns)
            if life is not None and life.kind == "tcp" and life.role != "listener":
                life.begin()

    def _is_ours(self, pair: tuple[bytes, bytes]) -> bool:
        return pair in self._pairs or pair[::-1] in self._pairs

    def _of_pair(self, key: tuple[bytes, bytes], at_ns: int) -> Life | None:
        if key in self._now:
            return self._now[key]
        lives = self._pairs.get(key, ())
        found = next((life for life in lives if life.kind == "tcp" and life.closed_ns > at_ns), None)
        if found is None:
            found = self._bound("tcp", key[0], at_ns)
        if len(self._now) >= _MOST_KNOWN_PAIRS:
            self._now.clear()
        self._now[key] = found
        return found

    def _bound(self, kind: str, local: bytes, at_ns: int) -> Life | None:
        """Return who was bound to an address: itself, or all of the machine's."""
        host, port = local[:-2], local[-2:]
        lives = self._locals.get(kind.encode() + local) or ()
        if not lives and (host in self._hosts or host[:1] == b"\x7f" or host == bytes(15) + b"\1"):
            lives = self._ports.get(kind.encode() + port) or ()
        return next((life for life in lives if life.closed_ns + _SLACK_NS > at_ns >= life.opened_ns - _SLACK_NS), None)

    def _of_datagram(self, local: bytes, other: bytes, at_ns: int) -> Life | None:
        lives = self._pairs.get((local, other), ())
        found = next((life for life in lives if life.kind == "udp" and life.closed_ns + _SLACK_NS > at_ns), None)
        return found or self._bound("udp", local, at_ns)

    def _of_sent_datagram(self, segment: Segment, at_ns: int) -> Life | None:
        found = self._of_datagram(segment.source, segment.destination, at_ns)
        if found is not None:
            return found
        sends = self._unbound.get((segment.destination, segment.payload_bytes), ())
        after = bisect_right(sends, at_ns + _SLACK_NS, key=itemgetter(0))
        for started_ns, ended_ns, life in sends[max(0, after - _MOST_AT_ONCE) : after]:
            if started_ns - _SLACK_NS <= at_ns <= ended_ns + _SLACK_NS:
                # From now on it has a port, by which what comes for it is known as well.
                self._locals.setdefault(b"udp" + segment.source, []).append(life)
                return life
        return None
