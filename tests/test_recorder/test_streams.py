"""From sequence numbers to places in a stream, and headers that hostile captures may hold."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st
from sockreel.recorder.capture.making import make_tcp, make_udp
from sockreel.recorder.capture.streams import Stream
from sockreel.recorder.capture.wire import ACK, FIN, LINKS, SYN, TCP, UDP, Segment, address_text, ip_offset, packed_address, parse_ip

A, B = b"\x7f\0\0\1\0\x50", b"\x7f\0\0\1\x99\x99"


def _segment(seq: int, size: int, flags: int = ACK) -> Segment:
    return Segment(TCP, A, B, seq % (1 << 32), 0, flags, 40, size)


def _stream(first_seq: int, *segments: tuple[int, int]) -> Stream:
    """A stream that begins with a SYN; segments are (place, size), a nanosecond apart, their packets numbered from 1."""
    stream = Stream()
    stream.add(_segment(first_seq - 1, 0, SYN), 0, 0)
    for number, (place, size) in enumerate(segments, 1):
        stream.add(_segment(first_seq + place, size), number, number)
    stream.sort()
    return stream


def _carriers(stream: Stream, start: int, end: int) -> list[int]:
    return [packet for packet, _ in stream.carriers(start, end, 0)[1]]


def test_bytes_arrive_when_all_before_them_have() -> None:
    stream = _stream(1000, (0, 10), (20, 10), (10, 10))
    assert [stream.arrived_ns(place) for place in (0, 9, 10, 19, 20, 29, 30)] == [1, 1, 3, 3, 3, 3, None]
    assert _carriers(stream, 5, 25) == [1, 3, 2]


def test_what_comes_again_changes_nothing_but_is_a_carrier() -> None:
    stream = _stream(5, (0, 10), (0, 10), (5, 10), (14, 1))
    assert (stream.whole, stream.arrived_ns(3), stream.arrived_ns(12)) == (15, 1, 3)
    assert _carriers(stream, 0, 5) == [1, 2]


def test_keep_alives_and_bare_acknowledgements_move_nothing() -> None:
    stream = _stream(77, (0, 4), (3, 0), (3, 1), (4, 0), (4, 6))
    assert (stream.whole, stream.arrived_ns(4)) == (10, 5)
    assert _carriers(stream, 4, 10) == [5]


def test_sequence_numbers_wrap_as_often_as_they_like() -> None:
    stream = Stream()
    first = (1 << 32) - 3
    stream.add(_segment(first - 1, 0, SYN), 0, 0)
    size = 1 << 30
    for number in range(9):  # two times round
        stream.add(_segment(first + number * size, size), number + 1, number + 1)
    assert stream.whole == 9 * size
    assert stream.arrived_ns(8 * size) == 9
    assert _carriers(stream, 8 * size - 1, 8 * size + 1) == [8, 9]


def test_what_the_capture_missed_came_when_it_was_acknowledged_nobody_knows_when() -> None:
    stream = _stream(1, (0, 10), (20, 10))
    assert stream.whole == 10
    stream.acknowledge(31, 7)
    assert stream.whole == 30
    assert stream.arrived_ns(10) is None
    assert stream.arrived_ns(5) == 1


def test_the_end_has_come_when_every_byte_before_it_has() -> None:
    stream = Stream()
    stream.add(_segment(0, 0, SYN), 1, 1)
    stream.add(_segment(11, 0, FIN | ACK), 2, 2)
    assert [stream.fin_at_ns] == [None]
    stream.add(_segment(1, 10), 3, 3)
    assert [stream.fin_at_ns, stream.fin_packet] == [3, 2]


@given(st.data())
def test_any_order_of_overlapping_segments_gives_the_same_stream(data: st.DataObject) -> None:
    total = data.draw(st.integers(1, 500))
    cuts = sorted(data.draw(st.sets(st.integers(1, total))) | {0, total})
    pieces = [(start, end - start) for start, end in itertools.pairwise(cuts)]
    pieces += [(start, min(size + 3, total - start)) for start, size in pieces if data.draw(st.booleans())]
    random.Random(data.draw(st.integers())).shuffle(pieces)
    stream = _stream(data.draw(st.integers(1, (1 << 32) - 1)), *pieces)
    assert stream.whole == total
    covered = [0] * total
    for number, (start, size) in enumerate(pieces, 1):
        for place in range(start, start + size):
            covered[place] = covered[place] or number
    last = 0
    for place in range(total):
        last = max(last, covered[place])
        assert stream.arrived_ns(place) == last


@given(st.binary(max_size=120), st.integers(0, 1 << 31))
def test_no_bytes_are_an_exception(frame: bytes, length: int) -> None:
    segment = parse_ip(frame, length)
    assert segment is None or segment.payload_at + segment.payload_bytes >= 0
    for link in (*LINKS, 99_999):
        assert ip_offset(link, frame) <= len(frame) + 40


@given(st.booleans(), st.binary(max_size=100), st.integers(0, 1000), st.integers(0, (1 << 32) - 1))
def test_headers_are_read_as_they_are_written(six: bool, data: bytes, missing: int, seq: int) -> None:
    host = bytes(15) + b"\1" if six else b"\x7f\0\0\1"
    source, destination = host + b"\0\x50", host + b"\x99\x98"
    frame, length = make_tcp(source, destination, seq, 7, SYN | ACK, data, len(data) + missing)
    segment = parse_ip(frame, length)
    assert segment is not None
    assert segment[:6] == (TCP, source, destination, seq, 7, SYN | ACK)
    assert (frame[segment.payload_at :], segment.payload_bytes) == (data, len(data) + missing)
    frame, length = make_udp(source, destination, data, len(data) + missing)
    segment = parse_ip(frame, length)
    assert segment is not None
    assert (segment.protocol, frame[segment.payload_at :], segment.payload_bytes) == (UDP, data, len(data) + missing)


def test_addresses_are_those_of_calls() -> None:
    for text in ("127.0.0.1:80", "[::1]:65535", "[fe80::1]:1"):
        packed = packed_address(text)
        assert packed is not None
        assert address_text(packed) == text
    assert packed_address("[::ffff:127.0.0.1]:80") == A
    for nonsense in (None, "", "unix:/x:80", "127.0.0.1", "[::1]:x", "1.2.3.4:99999", "name:80"):
        assert packed_address(nonsense) is None
