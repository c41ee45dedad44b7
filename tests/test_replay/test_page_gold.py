"""Every view of the page as it was looked at and accepted; and what would be noticed in it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from sockreel.replay.page.html import write_html
from sockreel.tests.browser import Browser, chromium, has_chinese_font
from sockreel.tests.test_replay.scenes import lecture
from sockreel.traces import open_trace
from sockreel.traces.excerpt import Excerpt

Image = pytest.importorskip("PIL.Image", reason="needs Pillow")
from sockreel.tests.test_replay.pictures import GOLD, assert_like_gold_picture, compare  # noqa: E402 - it needs Pillow

SAMPLE = Path(__file__).parents[2] / "traces" / "samples" / "blocking.db"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="needs Chromium")]


@dataclass(frozen=True)
class View:
    """What is done before a picture is taken.

    Args:
        script: run in the page.
        width, height: of the window, CSS pixels.
        page: `lecture`, two runs, or `buffers`, one with packets.
        below: an element that is brought to the top of the window.
    """

    script: str = "1"
    width: int = 1300
    height: int = 860
    page: str = "lecture"
    below: str | None = None


_DARK = "Style.isDark() || Main.wear();"
_CHINESE = "Words.language === 'zh' || Main.speak();"
VIEWS = {
    "overview": View(),
    "dark": View(_DARK),
    "chinese": View(_CHINESE),
    "narrow": View(width=420, height=720),
    "zoomed": View("State.show(1.5e8, 2.15e8);"),
    "zoomed-dark": View(_DARK + "State.show(1.5e8, 2.15e8);"),
    "calls": View("State.show(2.0985e8, 2.1115e8);"),
    "call": View("State.select(State.runs[0], State.runs[0].find(5), true);", height=900),
    "call-in-a-spin": View("State.select(State.runs[1], State.runs[1].find(13000), true);", height=900),
    "search": View("Find.set({q: 'reset'});"),
    "kind": View("Find.set({kind: 'fruitless'});"),
    "ruler": View("State.ruler = [2e8, 1.4e9]; State.changed();"),
    "keys": View("Main.help();"),
    "compared": View(below="#whole", height=1300),
    "compared-chinese": View(_CHINESE, below="#whole", height=1300),
    "buffers": View(page="buffers"),
    "play": View("location.hash = 'play&run=1&at=1000000000'", width=1280, height=720),
    "play-two-dark": View(_DARK + "location.hash = 'play&run=1,2&at=1000000000'", width=1280, height=720),
    "play-phases": View("location.hash = 'play&step=7'", width=1280, height=720, page="buffers"),
    "play-narrow-chinese": View(_CHINESE + "location.hash = 'play&run=2&at=162030000'", width=390, height=844),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of the pages that are looked at."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, path in (("lecture", lecture(folder / "lecture.db")), ("buffers", SAMPLE)):
        with open_trace(path) as trace, (folder / f"{name}.html").open("wb") as out:
            write_html([Excerpt(trace, run) for run in trace.runs()], out)
        found[name] = (folder / f"{name}.html").as_uri()
    return found


def _take(browser: Browser, pages: dict[str, str], view: View, spoil: str = "1") -> bytes:
    browser.resize(view.width, view.height)
    browser.open(pages[view.page])
    browser.run("Style.wear(false); Words.language === 'en' || Main.speak(); State.fit(); 1")
    browser.run(f"{view.script}; 1")
    browser.run(f"{spoil}; State.changed(); 1")
    if view.below:
        browser.run(f"document.querySelector('{view.below}').scrollIntoView({{block: 'start'}}); 1")
    # The table and the address follow a little later.
    browser.until("document.querySelector('#view-table table')")
    browser.run("new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => done(1))), 400))")
    assert browser.said == []
    return browser.picture()


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_looks_as_its_gold_picture(browser: Browser, pages: dict[str, str], name: str) -> None:
    if "chinese" in name and not has_chinese_font():
        pytest.skip("needs a Chinese font, as fonts-wqy-microhei")
    assert_like_gold_picture(f"page-{name}.png", _take(browser, pages, VIEWS[name]))


@pytest.mark.parametrize(("name", "spoil"), [
    ("overview", "State.runs[0].sockets.pop()"),
    ("overview", "State.runs[0].clients.delete('ben')"),
    ("overview", "{ const known = Style.colour; Style.colour = (name) => known(name === 'fruitless' ? 'moved' : name); }"),
    ("overview", "{ const known = Style.colour; Style.colour = (name) => known({blocked: 'other'}[name] ?? name); }"),
    ("overview", "for (const lane of State.runs[1].threads) lane.series = () => KINDS.map(() => [])"),
    ("overview", "Draw.exchanges = () => {}"),
    ("overview", "Style.wear(true)"),
    ("zoomed", "State.show(1.55e8, 2.2e8)"),
    ("calls", "{ const known = Style.colour; Style.colour = (name) => known(name === 'moved' ? 'exchange' : name); }"),
    ("buffers", "State.runs[0].buffers.pop()"),
    ("buffers", "State.runs[0].buffers[2].bytes.fill(0)"),
    ("search", "Find.set({q: 'hello'})"),
    ("play", "PlayStage.prototype.queues = () => {}"),
    ("play-phases", "PlayStage.prototype.phases = () => {}"),
    ("compared", "document.querySelectorAll('#whole .bar-fill').forEach((bar) => { bar.style.width = '100%'; })"),
])
def test_what_a_picture_would_notice(browser: Browser, pages: dict[str, str], name: str, spoil: str) -> None:
    """A lane that is missing, a wrong colour, another stretch of time: more than any font makes."""
    spoilt = Image.open(io.BytesIO(_take(browser, pages, VIEWS[name], spoil))).convert("RGB")
    found = compare(spoilt, Image.open(GOLD / f"page-{name}.png").convert("RGB"))
    assert found.is_seen, found


@pytest.mark.parametrize("name", ["overview", "calls", "compared"])
def test_what_another_rasteriser_makes_of_letters_is_no_difference(browser: Browser, pages: dict[str, str], name: str) -> None:
    """Letters without smoothing, at places that are whole pixels, a little bolder."""
    softer = "document.body.style.webkitFontSmoothing = 'none'; document.body.style.textRendering = 'geometricPrecision'; " \
             "document.body.style.webkitTextStroke = '0.25px'"
    taken = Image.open(io.BytesIO(_take(browser, pages, VIEWS[name], softer))).convert("RGB")
    found = compare(taken, Image.open(GOLD / f"page-{name}.png").convert("RGB"))
    assert not found.is_seen, found
