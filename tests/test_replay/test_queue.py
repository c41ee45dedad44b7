"""How many bytes lay in a socket's buffer: what came less what was read."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sockreel.replay import Look, Window, load_story, render_show, story_json
from sockreel.replay.queue import fresh, levels, queued_at
from sockreel.tests.synthetic import MS
from sockreel.tests.test_replay.figures import models
from sockreel.traces import open_trace


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


def _show(path: Path, run: str, window: Window, look: Look) -> str:
    with open_trace(path) as trace:
        return render_show(load_story(trace, trace.find_run(run), window, resolution=look.width), None, look)


def test_a_lane_shows_what_lay_in_the_kernel_until_it_was_read(tmp_path: Path) -> None:
    """Six bytes for 40 us, then a hundred that nobody reads."""
    path = models(tmp_path / "t.db")
    page = _show(path, "nonblocking", Window(90 * MS, 270 * MS), Look(100))
    _, _, below = page.partition("in the kernel's buffers\n")
    lane = below.splitlines()[0]
    assert lane.split()[:2] == ["fd", "4"] and lane.endswith("max 100 B")
    assert re.search(r" ▁─+█+ ", lane)
    assert "▁▂▃▄▅▆▇█ most bytes in the kernel's buffer" in page


def test_a_recorded_sender_fills_the_lane_where_no_packet_was_captured(tmp_path: Path) -> None:
    page = _show(models(tmp_path / "t.db"), "multiplexing", Window(159 * MS, 161 * MS), Look(100, ascii=True))
    assert page.isascii()
    lane = page.partition("in the kernel's buffers\n")[2].splitlines()[0]
    assert re.search(r" 8+-+ +max 6 B$", lane)


def test_where_nobody_saw_what_came_there_is_no_such_lane(tmp_path: Path) -> None:
    path = models(tmp_path / "t.db")
    assert "in the kernel's buffers" not in _show(path, "blocking", Window(0, 300 * MS), Look(100))
    with open_trace(path) as trace:
        assert story_json(load_story(trace, trace.find_run("blocking")))["queues"] == {}
        (told,) = story_json(load_story(trace, trace.find_run("nonblocking")))["queues"].values()
    assert [level["queued_bytes"] for level in told] == [4, 6, 0, 100]
