"""The bytes of a TCP connection in one direction, as packets carried them.

Owns the way from sequence numbers to places in the stream: which packet carried which bytes, and when the kernel had all
bytes up to a place. Sequence numbers wrap, segments come twice, late or never (then the other end's acknowledgement says
that they did come); keep-alives and window probes repeat a byte that is already there. Source: RFC 9293, 3.4 and 3.8.
Memory: some 40 bytes per packet.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from collections.abc import Iterator

from .wire import FIN, SYN, Segment

_WRAP = 1 << 32
_HALF = 1 << 31
_MOST_JUMP = 1 << 30  # an acknowledgement farther away is nonsense
_FREE_STEPS = 1_000_000
UNKNOWN = -1


class Stream:
    """One direction of one connection."""

    def __init__(self) -> None:
        self.first_seq: int | None = None  # of the byte at place 0
        self.began = False  # whether place 0 is known to be the first byte of the connection
        self.whole = 0  # all bytes up to this place have arrived
        self.fin_at_ns: int | None = None
        self.fin_packet: int | None = None
        self.opened_seq: int | None = None  # that of the SYN
        self.first_data_ns: int | None = None
        self._fin_place: int | None = None
        self._late: list[tuple[int, int]] = []  # segments behind a gap: (start, end)
        self._ends, self._times = array("q"), array("q")  # whole reached this place at that time
        self._starts, self._stops, self._packets, self._seen = array("q"), array("q"), array("q"), array("q")
        self._in_order = True
        self.steps = 0  # what looking for carriers has taken

    def add(self, segment: Segment, at_ns: int, packet: int) -> None:
        """Take a segment that travelled in this direction.

        Args:
            at_ns: when.
            packet: its id.
        """
        seq = segment.seq
        if segment.flags & SYN:
            self.opened_seq = seq
            seq = (seq + 1) % _WRAP
            self.began = self.began or self.first_seq is None
        if self.first_seq is None:
            self.first_seq = seq
        start = self._place(seq)
        end = start + segment.payload_bytes
        if segment.payload_bytes and end > 0:
            if self.first_data_ns is None:
                self.first_data_ns = at_ns
            if self._starts and start < self._starts[-1]:
                self._in_order = False
            for column, value in ((self._starts, start), (self._stops, end), (self._packets, packet), (self._seen, at_ns)):
                column.append(value)
        if segment.flags & FIN and self._fin_place is None:
            self._fin_place, self.fin_packet = end, packet
        if start > self.whole:
            if segment.payload_bytes:
                heapq.heappush(self._late, (start, end))
        else:
            self._reach(end, at_ns)
        self._look_for_end(at_ns)

    def acknowledge(self, ack: int, at_ns: int) -> None:
        """Take what the other end says it has: what nobody saw arrive has arrived, too, nobody knows when."""
        if self.first_seq is None:
            return
        place = self._place(ack)
        if self._fin_place is not None:
            place = min(place, self._fin_place)
        if self.whole < place < self.whole + _MOST_JUMP and self._late:
            self._reach(place, UNKNOWN)
            self._look_for_end(at_ns)

    def _place(self, seq: int) -> int:
        """Return the place of a sequence number: of all that it may mean, the one nearest to what has arrived."""
        assert self.first_seq is not None
        distance = (seq - self.first_seq - self.whole) % _WRAP
        return self.whole + (distance - _WRAP if distance >= _HALF else distance)

    def _reach(self, place: int, at_ns: int) -> None:
        if place <= self.whole:
            return
        self.whole = place
        while self._late and self._late[0][0] <= self.whole:
            self.whole = max(self.whole, heapq.heappop(self._late)[1])
        self._ends.append(self.whole)
        self._times.append(at_ns)

    def _look_for_end(self, at_ns: int) -> None:
        if self.fin_at_ns is None and self._fin_place is not None and self.whole >= self._fin_place:
            self.fin_at_ns = at_ns

    def arrived_ns(self, place: int) -> int | None:
        """Return when the kernel had the byte at a place, and all before it; None: not known."""
        index = bisect_right(self._ends, place)
        if index == len(self._ends) or self._times[index] == UNKNOWN:
            return None
        return self._times[index]

    def is_tangled(self, calls: int) -> bool:
        """Say whether so many segments lie upon each other that looking for carriers, so far of `calls` calls, takes too long."""
        return self.steps > _FREE_STEPS + 20 * (calls + len(self._starts))

    def sort(self) -> None:
        """Put the segments in the order of their places, before `Reader` looks for them."""
        if self._in_order:
            return
        order = sorted(range(len(self._starts)), key=self._starts.__getitem__)
        self._starts, self._stops, self._packets, self._seen = (
            array("q", (column[index] for index in order)) for column in (self._starts, self._stops, self._packets, self._seen)
        )
        self._in_order = True

    def carriers(self, start: int, end: int, first: int) -> tuple[int, Iterator[tuple[int, int]]]:
        """Find the packets that carried the bytes from `start` up to `end`.

        Args:
            first: where to begin to look: what the last call for a lower place returned; 0 at first.

        Returns:
            Where the next call is to begin, and (packet id, when it was seen) of each.
        """
        while first < len(self._starts) and self._stops[first] <= start:
            first += 1
        return first, self._overlapping(first, start, end)

    def _overlapping(self, index: int, start: int, end: int) -> Iterator[tuple[int, int]]:
        while index < len(self._starts) and self._starts[index] < end:
            self.steps += 1
            if self._stops[index] > start:
                yield self._packets[index], self._seen[index]
            index += 1
