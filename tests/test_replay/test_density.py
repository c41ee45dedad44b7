"""Densities: shares of time that add up, and levels that say what the calls say."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sockreel.replay import Story, Window, density, load_story
from sockreel.replay.density import Grid, grid_from_levels, grid_from_scan, grids_from_levels, shares
from sockreel.replay.reading import Reader
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.traces import open_trace

DURATIONS = st.one_of(st.integers(0, 5 * US), st.integers(90 * US, 3 * MS), st.integers(7 * MS, 20 * MS))
BURST = st.tuples(
    st.integers(0, 1),  # thread
    st.integers(0, 3),  # socket, 0: none
    st.sampled_from(["accept", "recv", "sendall", "close"]),
    st.sampled_from(["ok", "would_block", "eof", "reset"]),
    st.integers(0, 700 * MS),  # start
    DURATIONS,
    st.sampled_from([1, 3, 64, 90, 200]),  # calls
    st.sampled_from([None, 0, 5 * MS]),  # timeout
)


def record(path: Path, bursts: list[tuple[int, int, str, str, int, int, int, int | None]], crowd_of_class: bool) -> None:
    """Make a trace of bursts of calls, one after the other in each burst."""
    with Recording(path) as recording:
        run = recording.run()
        threads = [run.thread("one"), run.thread("two")]
        sockets = [None, run.socket(4), run.socket(5), run.socket(6)]
        for thread, socket, operation, outcome, at_ns, duration_ns, calls, timeout_ns in bursts:
            for _ in range(calls if duration_ns < MS else 1):
                run.call(threads[thread], operation, sockets[socket], at_ns=at_ns, duration_ns=duration_ns, outcome=outcome,
                         result=7 if outcome == "ok" else None, timeout_ns=timeout_ns)
                at_ns += duration_ns + 3 * US
        run.finish(1_024 * MS, crowd_of_class=crowd_of_class)


@settings(max_examples=60)
@given(st.lists(BURST, max_size=12), st.booleans(), st.sampled_from([0, 1, 2, 3]), st.sampled_from([(0, 1_024), (512, 1_024), (64, 128)]))
def test_levels_and_calls_say_the_same(
    bursts: list[tuple[int, int, str, str, int, int, int, int | None]], crowd_of_class: bool, level: int, edges_ms: tuple[int, int],
) -> None:
    """Cell by cell: time, calls and bytes of every lane and class, whichever rows the writer left out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.db"
        record(path, bursts, crowd_of_class)
        window = Window(edges_ms[0] * MS, edges_ms[1] * MS)
        with open_trace(path) as trace:
            reader = Reader(trace, trace.find_run())
            if not reader.extent.has_levels:
                return
            width_ns = MS * 8**level
            exact, found = grid_from_scan(reader, Window(0, 2_048 * MS), width_ns), grid_from_levels(reader, window, level)
            for lane in {*exact.lanes, *found.lanes}:
                wanted = [cell for cell in exact.cells(lane) if cell.start_ns < window.end_ns and cell.end_ns > window.start_ns]
                # A window that ends within a bucket cuts the calls read one by one, not the bucket.
                if width_ns <= 64 * MS and window.start_ns % width_ns == 0 and window.end_ns % width_ns == 0:
                    assert [cell for cell in found.cells(lane) if any(cell.ns + cell.calls)] == wanted


@settings(max_examples=60)
@given(bursts=st.lists(BURST, min_size=1, max_size=12))
def test_where_too_many_calls_would_be_read_nobody_sees_the_difference(
    bursts: list[tuple[int, int, str, str, int, int, int, int | None]], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time and calls of each class are all there, and no column of a lane of 20 pixels is off by more than one."""
    columns, window = 256, Window(0, 1_024 * MS)
    with tempfile.TemporaryDirectory() as folder, monkeypatch.context() as patch:
        path = Path(folder) / "t.db"
        record(path, bursts, False)
        with open_trace(path) as trace:
            reader = Reader(trace, trace.find_run())
            if not reader.extent.has_levels:
                return
            exact = grids_from_levels(reader, window, 0)
            patch.setattr(density, "READ_UP_TO", 0)
            rough = grids_from_levels(reader, window, 0, window.length_ns // columns // 160)
            (one,) = exact
            for lane in one.lanes:
                wanted, found = (_sums(grids, lane) for grids in (exact, rough))
                assert found == wanted
                for column in range(columns):
                    part = Window(column * window.length_ns // columns, (column + 1) * window.length_ns // columns)
                    differ = sum(abs(_time_in(exact, lane, kind, part) - _time_in(rough, lane, kind, part)) for kind in range(4))
                    assert differ * 20 <= part.length_ns


def _sums(grids: list[Grid], lane: tuple[Literal["thread", "socket"], int]) -> list[int]:
    return [sum(row[n] for grid in grids for row in grid.lanes.get(lane, {}).values()) for n in range(9)]


def _time_in(grids: list[Grid], lane: tuple[Literal["thread", "socket"], int], kind: int, part: Window) -> float:
    """Return the time of a class in a stretch, each cell's spread evenly over it."""
    total = 0.0
    for grid in grids:
        for index, row in grid.lanes.get(lane, {}).items():
            start_ns = grid.origin_ns + index * grid.cell_ns
            total += row[kind] * max(0, min(part.end_ns, start_ns + grid.cell_ns) - max(part.start_ns, start_ns)) / grid.cell_ns
    return total


def test_a_bucket_with_little_in_it_is_read_where_that_is_cheap_and_taken_whole_where_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One short answer among thousands of fruitless calls: exact by its index, or as wide as its bucket."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        thread, socket = run.thread(), run.socket(4)
        run.spin(thread, "recv", socket, at_ns=0, until_ns=500 * MS, every_ns=100 * US)
        run.call(thread, "recv", socket, at_ns=501 * MS, duration_ns=3 * US, result=5)
        run.spin(thread, "recv", socket, at_ns=502 * MS, until_ns=1_000 * MS, every_ns=100 * US)
        run.finish(1_000 * MS)
    window = Window(0, 1_000 * MS)
    moved = 2
    with open_trace(tmp_path / "t.db") as trace:
        reader = Reader(trace, trace.find_run())
        (exact,) = grids_from_levels(reader, window, 0, 10 * US)
        assert [index for index, row in exact.lanes["thread", thread].items() if row[moved]] == [501]
        monkeypatch.setattr(density, "READ_UP_TO", 0)
        fine, wide = grids_from_levels(reader, window, 0, 10 * US)
        assert not [row for row in fine.lanes["thread", thread].values() if row[moved]]
        assert [row[moved] for row in wide.lanes["thread", thread].values()] == [3 * US]
        one = grid_from_levels(reader, window, 0, 10 * US).lanes["thread", thread]
        assert [row[4 + moved] for row in one.values() if row[4 + moved]] == [1]


@settings(max_examples=60)
@given(st.lists(BURST, max_size=8), st.integers(1, 130), st.integers(0, 900 * MS), st.integers(1, 900 * MS))
def test_shares_of_every_column_add_up_to_one(
    bursts: list[tuple[int, int, str, str, int, int, int, int | None]], columns: int, start_ns: int, length_ns: int,
) -> None:
    """Also where threads share a socket, and where calls overlap in one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.db"
        record(path, bursts, False)
        window = Window(start_ns, start_ns + length_ns)
        with open_trace(path) as trace:
            sources: tuple[Literal["calls", "levels"], ...] = ("calls", "levels")
            for source in sources:
                story: Story = load_story(trace, trace.find_run(), window, resolution=columns, source=source)
                for lane in (*story.threads, *story.sockets):
                    for share in shares(lane.cells, window, columns):
                        assert abs(sum(share) - 1) < 1e-6
                        assert all(-1e-9 <= part <= 1 + 1e-9 for part in share)


def test_a_call_is_divided_over_the_columns_it_touches(tmp_path: Path) -> None:
    """Blocked from 10 to 35 ms of 100, drawn in ten columns."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run()
        run.call(run.thread(), "accept", run.socket(3, "listener"), at_ns=10 * MS, duration_ns=25 * MS)
        run.finish(100 * MS)
    with open_trace(tmp_path / "t.db") as trace:
        story = load_story(trace, trace.find_run(), resolution=10)
        blocked = [share[0] for share in shares(story.threads[0].cells, story.window, 10)]
    assert [round(share, 6) for share in blocked] == [0, 1, 1, 0.5, 0, 0, 0, 0, 0, 0]


def test_a_run_without_levels_is_read_call_by_call(tmp_path: Path) -> None:
    """A damaged trace, or one that is still being written, draws the same lanes."""
    stories = []
    for levels in (True, False):
        path = tmp_path / f"{levels}.db"
        with Recording(path) as recording:
            run = recording.run()
            thread, socket = run.thread(), run.socket(4)
            run.spin(thread, "recv", socket, at_ns=0, until_ns=2 * MS * 400, every_ns=2 * MS)
            run.call(thread, "recv", socket, at_ns=801 * MS, duration_ns=90 * MS, result=5)
            run.finish(1_024 * MS, levels=levels)
        with open_trace(path) as trace:
            stories.append(load_story(trace, trace.find_run(), resolution=4, source="levels"))
    with_levels, without = stories
    assert with_levels.threads[0].calls == without.threads[0].calls == (1, 400, 0, 0)
    assert with_levels.threads[0].ns == without.threads[0].ns
    assert with_levels.facts == without.facts
