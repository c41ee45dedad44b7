"""Packets into a trace: those of the program's own sockets are chosen, written, and joined to its calls.

Owns the way from frames to rows of `packets`. Where frames come from is the caller's business; what each call has to do
with them is that of following.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ...traces.packet_rows import PacketRow, clocks_of, sends_of, sockets_of, write_packets
from ...traces.writer import RunWriter
from ..clock import RunClock
from .endpoints import Endpoints, Life
from .following import follow
from .frames import Frame
from .wire import ACK, LINKS, NOT_IP, SEEN_TWICE, SYN, TCP, Segment, address_text, flag_letters, ip_offset, parse_ip

_BATCH = 2048
_BEFORE_NS = 1_000_000_000  # a packet so long before the run's start or after its end is none of its
_AFTER_NS = 5_000_000_000


@dataclass(frozen=True)
class Taken:
    """What became of the frames of a capture.

    Args:
        seen: frames there were.
        kept: packets of the program's sockets, now in the trace.
        others: packets of somebody else, or of another time.
        twice: copies of packets.
        unread: neither TCP nor UDP, or not a whole header.
        links: frames of link types that are not known, by type.
        read, sent: calls that read from packets, that sent them.
        timed: calls whose ready time is known by them.
        lost_track: directions of connections in which calls and packets could not be brought together.
    """

    seen: int
    kept: int
    others: int
    twice: int
    unread: int
    links: dict[int, int]
    read: int
    sent: int
    timed: int
    lost_track: int


class _Taker:
    def __init__(self, writer: RunWriter, clock: RunClock, end_ns: int) -> None:
        self.writer, self.clock, self.end_ns = writer, clock, end_ns
        self.endpoints = Endpoints(sockets_of(writer), sends_of(writer))
        self.next_id = writer.highest_id("packets") + 1
        self.rows: list[PacketRow] = []
        self.counts: Counter[str] = Counter()
        self.links: Counter[int] = Counter()

    def take(self, frame: Frame, payload_bytes: int | None) -> None:
        """Take one frame, or count why it is not taken."""
        self.counts["seen"] += 1
        start = ip_offset(frame.link, frame.data)
        if start < 0:
            if frame.link not in LINKS:
                self.links[frame.link] += 1
            else:
                self.counts["twice" if start == SEEN_TWICE else "unread"] += 1
            assert start in (NOT_IP, SEEN_TWICE)
            return
        data = frame.data[start:] if start else frame.data
        segment = parse_ip(data, frame.length - start)
        if segment is None:
            self.counts["unread"] += 1
            return
        at_ns = self.clock.run_ns(frame.realtime_ns)
        if not -_BEFORE_NS <= at_ns <= self.end_ns + _AFTER_NS:
            self.counts["others"] += 1
            return
        reached, left = self.endpoints.of_segment(segment, at_ns)
        if reached is None and left is None:
            self.counts["others"] += 1
            return
        if payload_bytes is not None:
            data = data[: segment.payload_at + payload_bytes]
        # What follows the packet in its frame is padding of the link.
        self._keep(segment, at_ns, data[: segment.payload_at + segment.payload_bytes], reached, left)

    def _keep(self, segment: Segment, at_ns: int, data: bytes, reached: Life | None, left: Life | None) -> None:
        packet = self.next_id
        self.next_id += 1
        life = reached or left
        assert life is not None
        is_tcp = segment.protocol == TCP
        numbers = (segment.seq, segment.ack, flag_letters(segment.flags)) if is_tcp else (None, None, None)
        source, destination = address_text(segment.source), address_text(segment.destination)
        self.rows.append((packet, at_ns, source, destination, *numbers, segment.payload_bytes, life.id, data))
        if len(self.rows) >= _BATCH:
            self.flush()
        if is_tcp:
            _follow_tcp(segment, at_ns, packet, reached, left)
        else:
            if reached is not None:
                reached.received.add(packet, at_ns, segment.payload_bytes, segment.source)
            if left is not None:
                left.sent.add(packet, at_ns, segment.payload_bytes, segment.destination)

    def flush(self) -> None:
        """Write what is kept so far."""
        write_packets(self.writer, self.rows)
        self.counts["kept"] += len(self.rows)
        self.rows.clear()


def _follow_tcp(segment: Segment, at_ns: int, packet: int, reached: Life | None, left: Life | None) -> None:
    for life, is_inbound in ((reached, True), (left, False)):
        if life is None or life.role == "listener":
            continue
        mine, other = (life.inbound, life.outbound) if is_inbound else (life.outbound, life.inbound)
        mine.add(segment, at_ns, packet)
        if segment.flags & ACK:
            other.acknowledge(segment.ack, at_ns)
        if is_inbound and life.established_ns is None and segment.flags & ACK and other.opened_seq is not None:
            answered = bool(segment.flags & SYN)
            if answered == (life.role != "accepted"):
                life.established_ns, life.established_by = at_ns, packet


def take_packets(writer: RunWriter, frames: Iterable[Frame], end_ns: int, payload_bytes: int | None = None) -> Taken:
    """Write those frames into a run that are its own, and join them to its calls. Nothing is committed.

    Args:
        writer: of the run, all of whose calls are written.
        frames: in the order in which they were seen.
        end_ns: of the run, in its time.
        payload_bytes: how much of each payload to keep; None: what there is.

    Raises:
        TraceError: the trace cannot be written.
    """
    taker = _Taker(writer, RunClock(clocks_of(writer) or [(0, 0)]), end_ns)
    for frame in frames:
        taker.take(frame, payload_bytes)
    taker.flush()
    joined = follow(writer, taker.endpoints)
    counts = taker.counts
    return Taken(
        counts["seen"], counts["kept"], counts["others"], counts["twice"], counts["unread"], dict(taker.links),
        joined.read, joined.sent, joined.timed, joined.lost_track,
    )  # fmt: skip
