"""Which call read or sent which packet, and when what it asked for was there.

Owns the walk along a run's calls beside the streams of its connections: a call's place is the sum of what calls moved
before it. What contradicts time (bytes read before they came: some call is missing, or moved by somebody else) ends the walk
along that stream: unknown stays unknown. Memory: 16 bytes per pair of call and packet.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from ...traces.packet_rows import MovingCall, receives_of, sends_of, write_carried, write_ready
from ...traces.writer import RunWriter
from .endpoints import Datagrams, Endpoints, Life
from .streams import Stream
from .wire import packed_address

_PEEK, _OUT_OF_BAND, _WAIT_ALL = 2, 1, 0x100
_SLACK_NS = 1_000_000  # clocks of two kinds, and captures in microseconds
_FAR = 200  # datagrams that may have been thrown away by the kernel between two that were read
_WHOLE_OR_NOTHING = ("send", "sendto", "sendmsg", "write", "writev")


@dataclass(frozen=True)
class Joined:
    """How many calls were joined to packets, and how many ready times that told; streams that were given up."""

    read: int
    sent: int
    timed: int
    lost_track: int


@dataclass
class _Walk:
    """How far along a stream its calls are."""

    place: int | None = 0  # of the next byte in `stream`; None: calls and packets have lost each other
    moved: int = 0  # all that calls moved so far
    first: int = 0  # see Stream.carriers
    calls: int = 0
    datagram: int = 0


@dataclass
class _Pairs:
    """What will be written, as flat columns."""

    packets: array[int] = field(default_factory=lambda: array("q"))
    calls: array[int] = field(default_factory=lambda: array("q"))
    timed: array[int] = field(default_factory=lambda: array("q"))
    ready_ns: array[int] = field(default_factory=lambda: array("q"))

    def ready(self, call: MovingCall, at_ns: int | None) -> None:
        """Note a ready time, unless it makes no sense."""
        if at_ns is not None and call.ended_ns is not None and at_ns <= call.ended_ns + _SLACK_NS:
            self.timed.append(call.id)
            self.ready_ns.append(min(at_ns, call.ended_ns))

    def carried(self, packet: int, call: MovingCall) -> None:
        """Note that a call read or sent bytes of a packet."""
        self.packets.append(packet)
        self.calls.append(call.id)


class _Follower:
    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self.pairs = _Pairs()
        self.walks: dict[tuple[int, bool], _Walk] = {}
        self.lost_track = self.read = self.sent = 0
        for life in {id(life): life for life in endpoints.life_of.values()}.values():
            life.inbound.sort()
            life.outbound.sort()

    def _walk(self, life: Life, is_inbound: bool) -> _Walk:
        key = (life.id, is_inbound)
        walk = self.walks.get(key)
        if walk is None:
            stream = life.inbound if is_inbound else life.outbound
            walk = self.walks[key] = _Walk(0 if _is_from_its_start(life, stream) else None)
        return walk

    def _give_up(self, walk: _Walk, stream: Stream) -> None:
        if walk.place is not None and stream.first_data_ns is not None:
            self.lost_track += 1
        walk.place = None
        walk.moved = -1  # never found again

    # What was received.

    def receive(self, call: MovingCall) -> None:
        """Take a call that received, accepted or connected."""
        if call.operation in ("accept", "ring_accept"):
            accepted = self.endpoints.life_of.get(call.result or 0)
            if accepted is not None and call.outcome == "ok":
                self._establish(call, accepted)
            return
        life = self.endpoints.life_of.get(call.socket_id)
        if life is None:
            return
        if call.operation.startswith(("connect", "ring_connect")):
            if call.outcome == "ok" and life.kind == "tcp":
                self._establish(call, life)
        elif life.kind == "udp":
            self._receive_datagram(call, life)
        else:
            self._receive_bytes(call, life)

    def _establish(self, call: MovingCall, life: Life) -> None:
        self.pairs.ready(call, life.established_ns)
        if life.established_by is not None:
            self.pairs.carried(life.established_by, call)

    def _receive_bytes(self, call: MovingCall, life: Life) -> None:
        walk, stream = self._walk(life, True), life.inbound
        if call.operation in ("splice", "tls_recv") or call.flags & _OUT_OF_BAND:
            self._give_up(walk, stream)
            return
        if call.outcome == "eof":
            if walk.place is not None and walk.place >= stream.whole:
                self.pairs.ready(call, stream.fin_at_ns)
                if stream.fin_packet is not None:
                    self.pairs.carried(stream.fin_packet, call)
            return
        size = call.result or 0
        if size <= 0:
            return
        if walk.place is None and walk.moved >= 0 and _waited_for_first(call, stream):
            walk.place = 0
        if walk.place is not None:
            start, end = walk.place, walk.place + size
            at_ns = stream.arrived_ns(end - 1 if call.flags & _WAIT_ALL else start)
            walk.calls += 1
            is_early = at_ns is not None and call.ended_ns is not None and at_ns > call.ended_ns + _SLACK_NS
            if is_early or start >= stream.whole > 0 or stream.is_tangled(walk.calls):
                self._give_up(walk, stream)
                return
            self.pairs.ready(call, at_ns)
            walk.first = self._carry(call, stream, start, end, walk.first)
        if not call.flags & _PEEK:
            walk.moved += size if walk.moved >= 0 else 0
            walk.place = None if walk.place is None else walk.place + size

    def _carry(self, call: MovingCall, stream: Stream, start: int, end: int, first: int) -> int:
        first, found = stream.carriers(start, end, first)
        before = len(self.pairs.packets)
        for packet, _ in found:
            self.pairs.carried(packet, call)
        self.read += len(self.pairs.packets) > before
        return first

    def _receive_datagram(self, call: MovingCall, life: Life) -> None:
        if call.outcome not in ("ok", "eof") or call.result is None:
            return
        walk, datagrams = self._walk(life, True), life.received
        index = _datagram_of(call, datagrams, walk.datagram)
        if index is None:
            return
        self.pairs.ready(call, datagrams.times[index])
        self.pairs.carried(datagrams.packets[index], call)
        self.read += 1
        if not call.flags & _PEEK:
            walk.datagram = index + 1

    # What was sent.

    def send(self, call: MovingCall) -> None:
        """Take a call that sent."""
        life = self.endpoints.life_of.get(call.socket_id)
        if life is None:
            return
        if life.kind == "udp":
            self._send_datagram(call, life)
            return
        walk, stream = self._walk(life, False), life.outbound
        if call.outcome != "ok" or call.result is None:
            # How much of it went before it failed is not known, but where it is all or nothing.
            if call.operation not in _WHOLE_OR_NOTHING or call.outcome is None:
                self._give_up(walk, stream)
            return
        if call.operation in ("splice", "tls_send") or call.flags & _OUT_OF_BAND:
            self._give_up(walk, stream)
            return
        if walk.place is None and walk.moved >= 0 and _sent_first(call, stream):
            walk.place = 0
        if walk.place is not None:
            start, end = walk.place, walk.place + call.result
            walk.first, found = stream.carriers(start, end, walk.first)
            carriers = list(found)
            walk.calls += 1
            if stream.is_tangled(walk.calls) or any(at_ns < call.started_ns - _SLACK_NS for _, at_ns in carriers[:1]):
                self._give_up(walk, stream)
                return
            for packet, _ in carriers:
                self.pairs.carried(packet, call)
            self.sent += bool(carriers)
            walk.place = end
        walk.moved += call.result if walk.moved >= 0 else 0

    def _send_datagram(self, call: MovingCall, life: Life) -> None:
        if call.outcome != "ok" or call.result is None or call.ended_ns is None:
            return
        walk, datagrams = self._walk(life, False), life.sent
        to = packed_address(call.peer)
        for index in range(walk.datagram, min(walk.datagram + _FAR, len(datagrams.packets))):
            at_ns = datagrams.times[index]
            if at_ns > call.ended_ns + _SLACK_NS:
                return
            if at_ns >= call.started_ns - _SLACK_NS and datagrams.sizes[index] == call.result and to in (None, datagrams.others[index]):
                self.pairs.carried(datagrams.packets[index], call)
                self.sent += 1
                walk.datagram = index + 1
                return


def _is_from_its_start(life: Life, stream: Stream) -> bool:
    """Whether place 0 of a stream is where the calls of its socket begin."""
    return stream.began or stream.first_data_ns is None or stream.first_data_ns < life.opened_ns


def _waited_for_first(call: MovingCall, stream: Stream) -> bool:
    """Whether a call waited as the first segment came that the capture saw: what it read begins with that."""
    at_ns = stream.first_data_ns
    return at_ns is not None and call.ended_ns is not None and call.started_ns < at_ns <= call.ended_ns


def _sent_first(call: MovingCall, stream: Stream) -> bool:
    """Whether the first segment that the capture saw went as a call sent."""
    return _waited_for_first(call, stream)


def _datagram_of(call: MovingCall, datagrams: Datagrams, first: int) -> int | None:
    """Return which datagram a call read; those before it were thrown away."""
    source = packed_address(call.peer)
    for index in range(first, min(first + _FAR, len(datagrams.packets))):
        if call.ended_ns is None or datagrams.times[index] > call.ended_ns + _SLACK_NS:
            return None
        size = datagrams.sizes[index]
        if (call.result == size or (call.asked is not None and call.result == call.asked < size)) and source in (
            None, datagrams.others[index],
        ):  # fmt: skip
            return index
    return None


def follow(writer: RunWriter, endpoints: Endpoints) -> Joined:
    """Join the calls of a run to the packets that its sockets' streams have taken, and write what that tells.

    Raises:
        TraceError: the trace cannot be read or written.
    """
    follower = _Follower(endpoints)
    for call in receives_of(writer):
        follower.receive(call)
    for call in sends_of(writer):
        follower.send(call)
    pairs = follower.pairs
    write_carried(writer, zip(pairs.packets, pairs.calls, strict=True))
    write_ready(writer, zip(pairs.timed, pairs.ready_ns, strict=True))
    return Joined(follower.read, follower.sent, len(pairs.timed), follower.lost_track)
