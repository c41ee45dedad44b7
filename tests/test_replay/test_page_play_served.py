"""The player in a page that is served: long runs come stretch by stretch, and every moment is that of the whole run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pytest
from sockreel.replay.language import language
from sockreel.replay.page import serving, stretches
from sockreel.replay.page.serving import PageServer
from sockreel.replay.page.stretches import Stretches
from sockreel.replay.player.state import Play
from sockreel.replay.reading import Reader
from sockreel.tests.browser import Browser
from sockreel.tests.synthetic import MS
from sockreel.tests.test_replay.test_page_play_state import as_the_page_says, crowd
from sockreel.traces import open_trace

SAMPLES = Path(str(resources.files("sockreel.traces"))) / "samples"


@pytest.mark.parametrize("name", ["lecture", "crowd", "nonblocking_sleep", "io_uring-reset", "asyncio_streams"])
@pytest.mark.parametrize(("most", "pieces"), [(300, 64), (7, 2048), (1, 5)])
def test_stretches_tile_a_run_and_know_what_was_before_them(
    lecture_file: Path, tmp_path: Path, name: str, most: int, pieces: int,
) -> None:
    path = lecture_file if name == "lecture" else crowd(tmp_path / "crowd.db") if name == "crowd" else SAMPLES / f"{name}.db"
    with open_trace(path) as trace:
        for run in trace.runs():
            reader = Reader(trace, run)
            play = Play(reader, language("en"))
            cut = Stretches(reader, most, pieces)
            at_ns, seen = 0, 0
            while at_ns < reader.end_ns:
                window, before = cut.around(at_ns + 1)
                assert window.start_ns == at_ns < window.end_ns
                state = play.state(play.line.at_time(at_ns) if at_ns else play.line.at_call(0))
                whole = state.calls, state.fruitless, state.received_bytes, state.sent_bytes
                assert (before.position, before.whole) == (state.head.position, whole)
                assert before.sockets == {one.id: (one.calls, one.fruitless, one.received_bytes, one.sent_bytes)
                                          for one in play.state(state.head).sockets if one.calls}
                ending = play.line.at_time(window.end_ns).position
                for position in {before.position + 1, (before.position + ending + 1) // 2, ending} if ending > before.position else ():
                    if play.line.ends[position - 1] < reader.end_ns:
                        assert cut.with_step(position)[0] == window
                assert cut.around(window.end_ns)[0] == window
                at_ns, seen = window.end_ns, seen + 1
            assert seen > (most < 10)


@contextmanager
def _served(path: Path) -> Iterator[str]:
    with PageServer(path, lambda trace: trace.runs()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch, lecture_file: Path) -> Iterator[str]:
    """The address of the lecture, its nonblocking run taken for one that is too long to be sent in one piece."""
    monkeypatch.setattr(serving, "CALLS_AT_ONCE", 1_000)
    monkeypatch.setattr(stretches.Stretches.__init__, "__defaults__", (1_500, 256))
    with _served(lecture_file) as address:
        yield address


def _settle(browser: Browser) -> None:
    browser.until("!document.getElementById('player').hasAttribute('aria-busy') && Player.deck()")
    browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")


@pytest.mark.slow
def test_a_served_run_plays_as_from_a_file(browser: Browser, lecture_file: Path) -> None:
    with _served(lecture_file) as address:
        browser.open(f"{address}#play&run=1,2&at=1000000000")
        _settle(browser)
        assert browser.run("document.querySelector('.play-sentence').textContent") == (
            "recv on client ada has begun and has not come back: 799 ms so far")
        browser.press("ArrowRight")
        _settle(browser)
        assert browser.run("Player.deck().reels.map((reel) => reel.head.at)") == [1400 * MS, 1409 * MS]
        browser.press("Escape")
        browser.until("State.selected?.operation === 'recv'")
        assert browser.said == []


@pytest.mark.slow
def test_any_moment_of_a_long_run_is_that_of_the_whole(browser: Browser, long: str, lecture_file: Path) -> None:
    with open_trace(lecture_file) as trace:
        play = Play(Reader(trace, trace.find_run("nonblocking")), language("en"))
        browser.open(f"{long}#play&run=2")
        _settle(browser)
        assert browser.run("Player.deck().reel.line.length") < 2_500 < len(play.line)
        for at_ns in (1_990 * MS, 3 * MS, 162 * MS + 5, 1_402 * MS, 900 * MS, 901 * MS, 2_000 * MS):
            browser.run(f"Player.move((deck) => deck.seek({at_ns}), true)")
            _settle(browser)
            found = browser.run("Player.deck().reel.state")
            first = browser.run("Player.deck().reel.film.base.position")
            wanted = as_the_page_says(play.state(play.line.at_time(at_ns)))
            wanted["open"] = [place - first for place in wanted["open"]]
            for socket in wanted["sockets"]:
                socket["last"] = None if socket["last"] is None or socket["last"] < first else socket["last"] - first
            assert found == wanted
        assert browser.said == []


@pytest.mark.slow
def test_steps_lead_over_the_borders_of_stretches_both_ways(browser: Browser, long: str) -> None:
    browser.open(f"{long}#play&run=2&at=300000000")
    _settle(browser)
    place = "(() => { const {reel} = Player.deck(); return reel.film.base.position + reel.head.position; })()"
    browser.run("Player.move((deck) => deck.go(deck.reel.line.atCall(deck.reel.line.length)), true)")
    _settle(browser)
    border = browser.run(place)
    for key, wanted in (("+", 0), ("step", 1), ("step", 2), ("back", 1), ("back", 0), ("back", -1), ("back", -2)):
        if key == "+":
            browser.press("+")
        else:
            browser.run(f"Player.move((deck) => deck.step({1 if key == 'step' else -1}))")
        _settle(browser)
        assert browser.run(place) == border + wanted, key
    browser.run("Player.toStep(17000)")
    _settle(browser)
    assert browser.run(place) == 17000
    browser.press("End")
    _settle(browser)
    assert browser.run(place) == browser.run("Player.deck().reel.film.total")
    browser.press("Home")
    _settle(browser)
    assert browser.run(place) == 0
    assert browser.said == []


@pytest.mark.slow
def test_who_holds_time_while_the_next_stretch_is_read_has_held_it(browser: Browser, long: str) -> None:
    browser.open(f"{long}#play&run=2&at=1000000")
    _settle(browser)
    browser.run("{ const shift = Films.shift; Films.shift = async (...asked) => {"
                " await new Promise((go) => { window.goOn = go; }); return shift(...asked); }; } 1")
    browser.run("Player.deck().speed = SPEEDS.indexOf(1); Player.toggle()")
    browser.until("window.goOn && document.getElementById('player').hasAttribute('aria-busy')")
    assert browser.run("Player.deck().playing")
    at_ns = browser.run("Player.toggle(); window.goOn(); Player.deck().reel.head.at")
    _settle(browser)
    assert not browser.run("Player.deck().playing")
    assert 0 <= browser.run("Player.deck().reel.head.at") - at_ns <= 1_000_000
    assert browser.said == []


@pytest.mark.slow
def test_time_and_breakpoints_go_on_from_stretch_to_stretch(browser: Browser, long: str) -> None:
    browser.open(f"{long}#play&run=2&at=1000000")
    _settle(browser)
    first = browser.run("Player.deck().reel.film.to")
    browser.run("Player.deck().speed = SPEEDS.indexOf(1); Player.toggle()")
    browser.until(f"Player.deck().reel.head.at > {first} + 20e6")
    browser.run("Player.deck().playing && Player.toggle()")  # on a slow machine its end may have come meanwhile
    _settle(browser)
    browser.press("Home")
    _settle(browser)
    browser.run("PlayAsk.add('recv nobody'); 1")
    assert "means nothing" in browser.run("document.getElementById('play-note').textContent")
    browser.run("PlayAsk.add('recv eof'); 1")
    browser.press("c")
    browser.until("document.getElementById('play-note').textContent.startsWith('stopped at')")
    assert browser.run("Player.deck().reel.head.at") == 169 * MS + 5_000
    browser.press("c")
    browser.until("Player.deck().reel.head.at > 1400e6 && document.getElementById('play-note').textContent.startsWith('stopped at')")
    assert browser.run("Player.deck().reel.head.at") == 1_499 * MS + 5_000
    browser.press("c")
    browser.until("document.getElementById('play-note').textContent.startsWith('no further')")
    assert browser.said == []
