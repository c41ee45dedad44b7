"""How many bytes lay in a socket's buffer: what came less what was read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sockreel.replay.queue import fresh, levels, queued_at


def test_what_is_sent_twice_counts_once() -> None:
    assert fresh([(1, 100, 10), (2, 100, 10), (3, 105, 10), (4, 115, 1)]) == [(1, 10), (3, 5), (4, 1)]


def test_sequence_numbers_go_round() -> None:
    assert fresh([(1, 2**32 - 4, 10), (2, 6, 5), (3, 2**32 - 4, 10)]) == [(1, 10), (2, 5)]


def test_datagrams_have_no_sequence() -> None:
    assert fresh([(1, None, 10), (2, None, 10)]) == [(1, 10), (2, 10)]


def test_a_read_takes_out_what_came() -> None:
    told = levels([(10, 5), (20, 7)], [(30, 12)], "packet")
    assert [(level.at_ns, level.queued_bytes) for level in told] == [(10, 5), (20, 12), (30, 0)]
    assert [queued_at(told, at_ns) for at_ns in (0, 10, 25, 30, 99)] == [0, 5, 12, 0, 0]
    assert queued_at((), 5) is None


def test_a_read_that_is_seen_before_its_data_leaves_nothing_behind() -> None:
    told = levels([(10, 5), (20, 7)], [(8, 5), (30, 4)], "sender")
    assert [(level.at_ns, level.queued_bytes) for level in told] == [(8, 0), (10, 0), (20, 7), (30, 3)]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9))), st.integers(0, 2**32 - 1))
def test_segments_cut_and_repeated_at_will_carry_each_byte_once(pieces: list[tuple[int, int]], first: int) -> None:
    """Sent in order, with repetitions of what was sent already."""
    segments, reached = [(0, first, 60)], 60
    for at, (offset, size) in enumerate(pieces, 1):
        segments.append((at, (first + offset) % 2**32, size))
        reached = max(reached, offset + size)
    assert sum(size for _, size in fresh(segments)) == reached
