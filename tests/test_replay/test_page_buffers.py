"""What lay in the kernel's buffers, on the page and in the picture: the same curve as the trace tells."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockreel.replay.exports.timeline_svg import BAR, PLOT, write_svg
from sockreel.replay.page import buffered
from sockreel.replay.page.buffered import buffers_of, most_of_stretches
from sockreel.replay.page.html import write_html
from sockreel.replay.page.serving import PageServer
from sockreel.replay.queue import load_queues, queued_at
from sockreel.replay.reading import Reader
from sockreel.replay.values import Level, Window
from sockreel.tests.browser import Browser, chromium
from sockreel.traces import open_trace
from sockreel.traces.excerpt import END_OF_TIME_NS, Excerpt

SAMPLE = Path(__file__).parents[2] / "traces" / "samples" / "blocking.db"
needs_chromium = pytest.mark.skipif(chromium() is None, reason="needs Chromium")


def _curves() -> dict[int, tuple[Level, ...]]:
    with open_trace(SAMPLE) as trace:
        reader = Reader(trace, trace.find_run())
        curves = load_queues(trace, reader.run, reader.sockets)
    assert len(curves) == 3
    return curves


def test_the_page_gets_every_step_of_every_buffer() -> None:
    with open_trace(SAMPLE) as trace:
        reader = Reader(trace, trace.find_run())
        told = buffers_of(reader, Window(0, reader.end_ns))
        closed = {id_: row["closed_ns"] for id_, row in reader.sockets.items()}
    curves = _curves()
    assert [one["socket"] for one in told] == sorted(curves)
    for one in told:
        curve = curves[one["socket"]]
        assert list(accumulate(one["at"])) == [level.at_ns for level in curve]
        assert one["bytes"] == [level.queued_bytes for level in curve]
        assert (one["source"], one["whole"], one["until"]) == (curve[0].source, True, closed[one["socket"]])


def test_of_too_many_steps_it_gets_the_most_of_each_stretch_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffered, "MOST_STEPS", 6)
    with open_trace(SAMPLE) as trace:
        reader = Reader(trace, trace.find_run())
        told = buffers_of(reader, Window(0, reader.end_ns))
    assert [one["whole"] for one in told] == [False] * 3
    for one in told:
        assert max(one["bytes"]) == max(level.queued_bytes for level in _curves()[one["socket"]])


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 5)), min_size=1, max_size=40), st.integers(1, 30))
def test_the_most_of_a_stretch_hides_nothing_that_lay_there(steps: list[tuple[int, int]], stretches: int) -> None:
    told = tuple(Level(at_ns, size, "packet") for at_ns, size in sorted(dict(steps).items()))
    window = Window(0, 100)
    rough = most_of_stretches(told, window, stretches)
    assert [level.at_ns for level in rough] == sorted({level.at_ns for level in rough})
    assert len(rough) <= 2 * stretches + 1
    width_ns = -(-100 // stretches)
    for at_ns in range(told[0].at_ns, 100):
        exact, found = queued_at(told, at_ns), queued_at(tuple(rough), at_ns)
        assert exact is not None and found is not None
        near = [queued_at(told, moment) or 0 for moment in range(max(0, at_ns - width_ns), min(100, at_ns + width_ns + 1))]
        assert exact <= found <= max(near)


def test_the_picture_has_a_lane_for_each_buffer_as_high_as_what_lay_there() -> None:
    out = io.BytesIO()
    with open_trace(SAMPLE) as trace:
        run = trace.find_run()
        end_ns = Reader(trace, run).end_ns
        write_svg([Excerpt(trace, run, 0, END_OF_TIME_NS)], out)
    svg = out.getvalue().decode()
    paths = re.findall(r'<path class="queue" d="([^"]*)"', svg)
    curves = [curve for _, curve in sorted(_curves().items())]
    assert len(paths) == len(curves)
    assert re.findall(r">in the kernel: ([^<]*)<", svg) == ["fd 4 slow", "fd 4 anna", "fd 4 ben"]
    for path, curve in zip(paths, curves, strict=True):
        most = max(level.queued_bytes for level in curve)
        filled = sum(int(wide) for wide, high in re.findall(r"h(\d+)v([\d.]+)h-", path) if float(high) >= 1)
        ns = sum(after.at_ns - level.at_ns for level, after in pairwise(curve) if level.queued_bytes)
        assert abs(filled - PLOT * ns / end_ns) <= 2 * len(curve)
        assert max(float(high) for _, high in re.findall(r"h(\d+)v([\d.]+)h-", path)) == pytest.approx(BAR)
        assert most


@pytest.fixture(scope="module", params=["file", "served"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of the sample in a file, and as it is served."""
    if request.param == "file":
        page = tmp_path_factory.mktemp("page") / "sample.html"
        with open_trace(SAMPLE) as trace, page.open("wb") as out:
            write_html([Excerpt(trace, trace.find_run(), 0, END_OF_TIME_NS)], out)
        yield page.as_uri()
        return
    with PageServer(SAMPLE, lambda trace: trace.runs()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.address
        server.shutdown()
        thread.join()


@pytest.mark.slow
@needs_chromium
def test_a_browser_shows_each_buffer_as_it_was_at_any_moment(browser: Browser, address: str) -> None:
    browser.resize(1200, 900)
    browser.open(address)
    names = browser.run("Stage.rows().filter((row) => row.type === 'buffer').map((row) => row.name)")
    assert names == ["fd 4 slow", "fd 4 anna", "fd 4 ben"]
    for number, (_, curve) in enumerate(sorted(_curves().items())):
        for level, after in pairwise(curve):
            at = [level.at_ns, (level.at_ns + after.at_ns) // 2, after.at_ns - 1]
            assert browser.run(f"{at}.map((at) => State.runs[0].buffers[{number}].level(at))") == [level.queued_bytes] * 3
            # Between two steps the mean is the level; a view that is but that stretch is filled so high.
            found = browser.run(f"State.runs[0].buffers[{number}].within({level.at_ns}, {after.at_ns})")
            assert found == {"least": level.queued_bytes, "most": level.queued_bytes, "mean": pytest.approx(level.queued_bytes)}
        assert browser.run(f"State.runs[0].buffers[{number}].level({curve[0].at_ns - 1})") is None
    assert browser.said == []


@pytest.mark.slow
@needs_chromium
def test_it_is_drawn_to_scale_and_said_in_a_table_and_under_the_pointer(browser: Browser, address: str) -> None:
    browser.resize(1200, 900)
    browser.open(address)
    curve = sorted(_curves().items())[2][1]
    longest = max(pairwise(curve), key=lambda pair: (pair[0].queued_bytes > 0) * (pair[1].at_ns - pair[0].at_ns))
    middle_ns = sum(one.at_ns for one in longest) / 2
    x, top, bottom = browser.run(
        f"(() => {{ const row = Stage.rows().filter((one) => one.type === 'buffer')[2]; const x = Stage.xOf({middle_ns});"
        " return [Math.round(x), row.y - Stage.top(), row.y - Stage.top() + row.height]; })()")
    column = browser.run(
        f"Array.from(document.getElementById('timeline').getContext('2d').getImageData({x}, {top}, 1, {bottom - top}).data)"
        ".reduce((all, one, n) => n % 4 ? all : [...all, one], [])")
    # The longest stretch of this buffer held the most that it ever held: the lane is filled to its scale, red 0 as #0072b2 has it.
    assert longest[0].queued_bytes == max(level.queued_bytes for level in curve)
    assert column.count(0) == pytest.approx(32 - 4 - 3, abs=1)
    box = browser.run("(() => { const box = document.getElementById('timeline').getBoundingClientRect(); return [box.x, box.y]; })()")
    browser.mouse("mouseMoved", box[0] + x, box[1] + (top + bottom) / 2)
    browser.until(f"document.getElementById('tip').textContent === '{longest[0].queued_bytes} B in the kernel\\'s buffer of fd 4 ben'")
    browser.until("document.getElementById('view-table').textContent.includes('captured packets')")
    browser.press("l")
    browser.until("document.getElementById('view-table').textContent.includes('捕获的数据包')")
