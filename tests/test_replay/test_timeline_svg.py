"""The picture for slides: well-formed whatever a trace holds, and true."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from sockreel.replay.exports.timeline_svg import BAR, PLOT, write_svg
from sockreel.tests.synthetic import MS, Recording, S
from sockreel.traces import open_trace
from sockreel.traces.excerpt import END_OF_TIME_NS, Excerpt

SVG = "{http://www.w3.org/2000/svg}"


def picture(path: Path, *names: str, start_ns: int = 0, end_ns: int = END_OF_TIME_NS) -> str:
    out = io.BytesIO()
    with open_trace(path) as trace:
        write_svg([Excerpt(trace, trace.find_run(name), start_ns, end_ns) for name in names], out)
    return out.getvalue().decode("utf-8")


def areas(svg: str) -> dict[str, float]:
    """Return how much of a full lane the bars of each kind cover, summed over lanes."""
    found: dict[str, float] = {}
    for kind, path in re.findall(r'<path class="(blocked|fruitless|moved|other)" d="([^"]*)"', svg):
        for wide, high in re.findall(r"h(\d+)v([\d.]+)h-", path):
            found[kind] = found.get(kind, 0) + int(wide) * float(high) / (PLOT * BAR)
    return found


def test_it_is_xml_with_a_lane_for_every_thread_socket_and_client(lecture_file: Path) -> None:
    root = ElementTree.fromstring(picture(lecture_file, "blocking", "nonblocking"))
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    for name in ("blocking", "nonblocking", "MainThread", "ada", "ben", "cyd"):
        assert name in texts
    assert sum(text.startswith("Model: ") for text in texts) == 2
    assert root.get("width") and root.get("viewBox")


@pytest.mark.parametrize(("start_ns", "end_ns"), [(0, 1000 * MS), (200 * MS, 600 * MS), (300 * MS, 310 * MS)])
def test_areas_are_shares_of_time(tmp_path: Path, start_ns: int, end_ns: int) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("shares")
        thread = run.thread()
        run.call(thread, "recv", None, at_ns=0, duration_ns=305 * MS, payload=b"x")
        run.spin(thread, "recv", None, at_ns=306 * MS, until_ns=806 * MS, every_ns=MS, duration_ns=MS // 2)
        run.finish(1000 * MS)
    wanted = {"blocked": max(0, min(end_ns, 305 * MS) - start_ns),
              "fruitless": max(0, min(end_ns, 806 * MS) - max(start_ns, 306 * MS)) / 2}
    found = areas(picture(tmp_path / "t.db", "shares", start_ns=start_ns, end_ns=end_ns))
    for kind, ns in wanted.items():
        assert found.get(kind, 0) == pytest.approx(ns / (end_ns - start_ns), abs=0.01)


def test_hostile_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    hostile = '</text><script>alert(1)</script>"\x1b\x00\u2028\u202e&amp;]]>'
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run(hostile, blind_spots='["<b onload=x>"]')
        client = run.socket(4, peer=hostile)
        run.call(run.thread(hostile), "recv", client, at_ns=0, duration_ns=50 * MS, payload=b"x", site=(hostile, 1, hostile, hostile))
        run.exchange(hostile, 1, client, sent_ns=MS, answered_ns=9 * MS)
        run.finish(S)
    svg = picture(tmp_path / "t.db", "1")
    root = ElementTree.fromstring(svg)
    assert {element.tag for element in root.iter()} <= {
        SVG + tag for tag in ("svg", "title", "style", "defs", "pattern", "rect", "circle", "path", "text")}
    assert not [letter for letter in svg if ord(letter) < 32 and letter != "\n"]
    assert "\u202e" not in svg and "\u2028" not in svg
