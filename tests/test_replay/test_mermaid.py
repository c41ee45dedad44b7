"""Mermaid itself reads and draws our sequence diagrams, and finds in them what we put there."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sockreel.replay.exports.sequence import MOST, load_sequence, write_mermaid
from sockreel.tests.browser import Browser, chromium
from sockreel.tests.synthetic import MS, Recording, S
from sockreel.tools.mermaid import MERMAID
from sockreel.traces import open_trace
from sockreel.traces.excerpt import Excerpt

from .scenes import long

SAMPLES = Path(__file__).parents[2] / "traces" / "samples"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium"),
    pytest.mark.skipif(not MERMAID.exists(), reason="needs Mermaid: tools/mermaid.py brings it where npm is"),
]
_READ = """mermaid.mermaidAPI.getDiagramFromText({text}).then(
    ({{type, db}}) => ({{
        type, actors: [...db.getActors().values()].length, signals: db.getMessages().map((one) => [one.from, one.to, one.type])}}),
    (error) => ({{error: error.message}}))"""
_DRAW = """mermaid.render("drawn", {text}).then(({{svg}}) => {{
    const holder = document.createElement("div");
    holder.innerHTML = svg;
    return {{words: [...holder.querySelectorAll("text")].map((one) => one.textContent), scripts: holder.querySelectorAll("script").length}};
}}, (error) => ({{error: error.message}}))"""
SOLID, DASHED, NOTE = 0, 1, 2


@pytest.fixture(scope="module")
def mermaid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser in which Mermaid is loaded."""
    folder = tmp_path_factory.mktemp("mermaid")
    (folder / "page.html").write_text('<!doctype html><meta charset="utf-8"><body data-ready="yes">')
    with Browser(folder / "profile") as browser:
        browser.open((folder / "page.html").as_uri())
        browser.run(MERMAID.read_text(encoding="utf-8") + "; mermaid.initialize({startOnLoad: false, maxTextSize: 10000000}); 1")
        yield browser


def _ask(browser: Browser, question: str, text: str) -> dict[str, Any]:
    answer: dict[str, Any] = browser.run(question.format(text=json.dumps(text)))
    assert "error" not in answer, answer
    return answer


def _diagram(path: Path) -> str:
    out = io.BytesIO()
    with open_trace(path) as trace:
        write_mermaid([Excerpt(trace, trace.find_run())], out)
    return out.getvalue().decode("utf-8")


@pytest.mark.parametrize("name", ["blocking", "nonblocking", "epoll_edge-reset", "asyncio_streams", "signal_driven", "io_uring"])
def test_it_reads_every_party_and_every_arrow(mermaid: Browser, name: str) -> None:
    found = _ask(mermaid, _READ, _diagram(SAMPLES / f"{name}.db"))
    with open_trace(SAMPLES / f"{name}.db") as trace:
        diagram = load_sequence(Excerpt(trace, trace.find_run()))
    ids = {party: f"P{number}" for number, party in enumerate(diagram.parties)}
    assert (found["type"], found["actors"]) == ("sequence", len(diagram.parties))
    arrows = [signal for signal in found["signals"] if signal[2] != NOTE]
    assert arrows == [[ids[one.source], ids[one.target], DASHED if one.back else SOLID] for one in diagram.messages]
    assert (len(found["signals"]) > len(arrows)) == diagram.more


def test_it_draws_what_strangers_sent_as_text(mermaid: Browser, tmp_path: Path) -> None:
    hostile = 'end; %%{init}%% <script>alert(1)</script> -->>P0: "x" #35; 你好'
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("hostile")
        client = run.socket(4, peer="127.0.0.1:9")
        run.call(run.thread(), "recv", client, at_ns=0, duration_ns=50 * MS, payload=hostile.encode(), asked=100)
        run.exchange(hostile, 1, client, sent_ns=MS, answered_ns=9 * MS)
        run.finish(S)
    drawn = _ask(mermaid, _DRAW, _diagram(tmp_path / "t.db"))
    assert drawn["scripts"] == 0
    said = "\n".join(drawn["words"])
    for words in ("%%{init}%%", "<script>", '"x" #35;', "你好"):
        assert words in said, said


def test_it_reads_a_diagram_that_ends_before_its_run(mermaid: Browser, tmp_path: Path) -> None:
    long(tmp_path / "t.db", MOST + 50)
    found = _ask(mermaid, _READ, _diagram(tmp_path / "t.db"))
    assert [signal[2] for signal in found["signals"]].count(NOTE) == 1
    assert len(found["signals"]) > MOST


def test_it_would_have_said_what_is_wrong(mermaid: Browser) -> None:
    answer = mermaid.run(_READ.format(text=json.dumps("sequenceDiagram\n    P0->>>>P1: x\n")))
    assert "Parse error" in answer["error"]
