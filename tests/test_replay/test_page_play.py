"""The player in the page, used as people use it: keys, buttons, fingers, addresses, two runs, both languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sockreel.tests.browser import Browser, chromium
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.traces.references import sample_path

from .pages import violations, write_page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="needs Chromium")]

SERVER = "".join(f"line {number}\n" for number in range(1, 40))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with one run: a call whose two phases are known, names that are markup, the program's text."""
    folder = tmp_path_factory.mktemp("measured")
    nasty = "<b onclick=alert(1)>\u202e"
    with Recording(folder / "t.db") as recording:
        run = recording.run("one")
        thread = run.thread("main")
        socket = run.socket(4, peer="127.0.0.1:5", local="127.0.0.1:8000", opened_ns=MS)
        site = ("/home/ada/server.py", 18, nasty, "line 18")
        run.call(thread, "recv", socket, at_ns=10 * MS, duration_ns=20 * MS, payload=nasty.encode(), ready_ns=22 * MS,
                 ready_source="kernel", site=site)
        run.call(thread, "sendall", socket, at_ns=31 * MS, duration_ns=30 * US, payload=b"<b>",
                 site=("/home/ada/server.py", 22, "f", "line 22"))
        recording.insert("sources", file="/home/ada/server.py", sha256="", text=SERVER)
        run.exchange(nasty.replace("\u202e", ""), 1, socket, connected_ns=MS, sent_ns=21 * MS, answered_ns=32 * MS, sent_bytes=23,
                     answered_bytes=3)
        run.finish(40 * MS)
    return write_page(folder / "t.html", folder / "t.db")


def _settle(browser: Browser) -> None:
    """Wait until what was changed is drawn."""
    browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(1)))))")


def _open(browser: Browser, page: str, hash_: str) -> None:
    browser.open(f"{page}#{hash_}")
    _settle(browser)


def _press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.press(key)
    _settle(browser)


def _sentence(browser: Browser, run: int = 0) -> str:
    return str(browser.run(f"document.querySelectorAll('.play-sentence')[{run}].textContent"))


def _at(browser: Browser) -> list[int]:
    """Return where the active run stands: position, moment."""
    found: list[int] = browser.run("[Player.deck().reel.head.position, Player.deck().reel.head.at]")
    return found


def _choose(browser: Browser, id_: str, value: str) -> None:
    """Choose something from a list."""
    browser.run(f"(() => {{ const list = document.getElementById('{id_}'); list.value = '{value}';"
                " list.dispatchEvent(new Event('change')); })()")


def _click(browser: Browser, selector: str) -> None:
    x, y = browser.run(f"(() => {{ const box = document.querySelector('{selector}').getBoundingClientRect();"
                       " return [box.x + box.width / 2, box.y + box.height / 2]; })()")
    browser.click(x, y)
    _settle(browser)


def test_a_button_opens_it_and_escape_leads_back_to_the_call_in_the_timeline(browser: Browser, page: str) -> None:
    browser.open(page)
    _click(browser, "#play")
    browser.until("document.querySelector('.play-sentence')?.textContent")
    assert _sentence(browser) == "Nothing has been called yet."
    assert browser.run("getComputedStyle(document.getElementById('main')).display") == "none"
    _press(browser, "ArrowRight", "ArrowRight", "ArrowRight")
    assert _sentence(browser).startswith("accept on the listener stood still for 50.0 ms, then took up client ada")
    browser.until("location.hash.startsWith('#play&run=1&at=100000000')")
    _press(browser, "Escape")
    assert browser.run("[Player.isOpen(), State.selected.operation, document.activeElement.id]") == [False, "accept", "play"]
    assert browser.run("getComputedStyle(document.getElementById('main')).display") != "none"
    browser.run("history.back(); 1")
    browser.until("Player.isOpen() && Player.deck().reel.head.position === 3")
    assert browser.said == []
    assert browser.requested == [page]


def test_it_opens_at_the_call_that_was_selected(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.run("State.select(State.runs[1], State.runs[1].find(State.runs[1].columns.id[700])); 1")
    _click(browser, "#play")
    browser.until("document.querySelector('.play-sentence')?.textContent")
    here, wanted = browser.run("(() => { const {reel} = Player.deck(); return [reel.line.call(reel.current()).id, State.selected.id]; })()")
    assert here == wanted


def test_keys_alone_step_both_ways_and_return_to_the_same_picture(browser: Browser, page: str) -> None:
    _open(browser, page, "play&run=2")
    seen = []
    for _ in range(12):
        _press(browser, "ArrowRight")
        seen.append((_at(browser), _sentence(browser), browser.run("document.querySelector('.play-drawing').textContent")))
    assert len({one[1] for one in seen}) == 12
    for one in reversed(seen[:-1]):
        _press(browser, "ArrowLeft")
        assert (_at(browser), _sentence(browser), browser.run("document.querySelector('.play-drawing').textContent")) == one
    _press(browser, "End")
    last = _at(browser)
    assert last[0] == browser.run("Player.deck().reel.line.length")
    _press(browser, "Home", "n")
    assert _at(browser)[1] == browser.run("Player.deck().reel.play.answers[0]")
    _press(browser, "p", "ArrowDown")
    first = _at(browser)
    _press(browser, "ArrowDown", "ArrowUp")
    assert _at(browser) == first
    assert browser.said == []


def test_a_spin_is_one_step_until_it_is_unfolded(browser: Browser, page: str) -> None:
    _open(browser, page, "play&run=2&at=50000000")
    _press(browser, "ArrowRight")
    start, _ = _at(browser)
    rows = "[...document.querySelectorAll('.play-row.here .play-call')].map((one) => one.textContent)"
    assert "600 × accept(fd 3 listener)" in browser.run(rows)
    assert _sentence(browser).endswith("BlockingIOError (600 of 600 in a row)")
    _press(browser, "Enter")
    assert browser.run(rows) == ["accept(fd 3 listener)"]
    _press(browser, "ArrowLeft")
    assert _at(browser)[0] == start - 1
    _press(browser, "f", "f", "ArrowLeft")
    assert _at(browser)[0] == start - 600


def test_calls_that_were_only_counted_take_turns_and_none_lasts(browser: Browser, tmp_path: Path) -> None:
    page = write_page(tmp_path / "folded.html", sample_path("nonblocking"))
    browser.open(page)
    fold = browser.run("State.runs[0].head.folds.reduce((long, one) => one[5] - one[4] > long[5] - long[4] ? one : long)")
    _open(browser, page, f"play&at={(fold[4] + fold[5]) // 2}")
    shown = browser.run("[...document.querySelectorAll('.play-drawing text')].map((one) => one.textContent)")
    assert any(text.startswith("again and again for ") for text in shown), shown
    assert "has nothing, each time" in shown and "looks, does not wait" not in shown
    assert sum(text.startswith(("recv(", "accept(")) for text in shown) >= 2
    assert "again and again, each time at once and for nothing" in _sentence(browser)
    marked = browser.run("document.querySelectorAll('.play-table tr.here').length")
    assert marked >= 2
    _press(browser, "ArrowRight", "ArrowRight", "ArrowRight")
    assert "again and again for" not in browser.run("document.querySelector('.play-drawing').textContent")


def test_time_goes_and_is_held_at_any_speed(browser: Browser, page: str) -> None:
    _open(browser, page, "play&run=1&at=190000000")
    _press(browser, *"-" * 6)
    assert browser.run("document.getElementById('play-pace').textContent") == "1/100 ×"
    _press(browser, " ")
    browser.until("Player.deck().reel.head.at > 190000000 && Player.deck().reel.head.at < 200000000")
    _press(browser, " ")
    here = _at(browser)
    assert browser.run("document.getElementById('play-go').getAttribute('aria-label')") == "Play"
    _settle(browser)
    assert _at(browser) == here
    assert "recv on client ada has begun and has not come back" in _sentence(browser)
    _press(browser, *"+" * 30, " ")
    browser.until("!Player.deck().playing")
    assert _at(browser)[0] == browser.run("Player.deck().reel.line.length")
    _press(browser, *"-" * 40)
    assert browser.run("document.getElementById('play-pace').textContent") == "1/1,000,000 ×"
    assert "times slower than life" in browser.run("document.getElementById('play-speed').getAttribute('aria-valuetext')")


def test_both_phases_of_a_call_fill_as_time_goes(browser: Browser, measured: str) -> None:
    filled = ("[...document.querySelectorAll('.play-drawing rect.fill')].filter((one) => Number(one.getAttribute('height')) === 12)"
              ".map((one) => Number(one.getAttribute('width')))")
    seen = []
    for at_ms in (10, 16, 22, 26, 30):
        _open(browser, measured, f"play&run=1&at={at_ms * MS}")
        seen.append(browser.run(filled))
    waited, copied = [one[0] for one in seen], [one[1] for one in seen]
    assert waited[0] == 0 < waited[1] < waited[2] == waited[3] == waited[4]
    assert waited[1] == pytest.approx(waited[2] / 2, rel=0.01)
    assert copied[:3] == [0, 0, 0]
    assert 0 < copied[3] < copied[4]
    assert "waited 12.0 ms" in browser.run("document.querySelector('.play-drawing').textContent")
    assert "copied 8.00 ms" in browser.run("document.querySelector('.play-drawing').textContent")
    _open(browser, measured, f"play&run=1&at={25 * MS}")
    words = browser.run("document.querySelector('.play-drawing').textContent")
    assert "has it: wakes up, copies" in words
    assert "23 B" in words  # lies in the queue until it is read


def test_what_strangers_sent_is_text(browser: Browser, measured: str) -> None:
    _open(browser, measured, f"play&run=1&at={32 * MS}")
    told = browser.run("document.getElementById('player').textContent")
    assert told.count("<b onclick=alert(1)>") > 2
    assert "\u202e" not in told
    assert browser.run("document.querySelectorAll('#player img, #player b').length") == 0
    assert browser.said == []


def test_the_source_shows_the_line_in_execution_and_a_click_stops_there(browser: Browser, measured: str) -> None:
    _open(browser, measured, f"play&run=1&at={15 * MS}")
    here = "[...document.querySelectorAll('.play-source li.here')].map((one) => [one.textContent, one.className])"
    assert browser.run(here) == [["line 18", "here running"]]
    box, line = browser.run("['ol', 'li.here'].map((name) => { const {top, bottom} = document.querySelector(`.play-source ${name}`)"
                            ".getBoundingClientRect(); return [top, bottom]; })")
    assert box[0] <= line[0] < line[1] <= box[1]
    _click(browser, ".play-source li:nth-child(22)")
    assert browser.run("document.getElementById('play-breaks').textContent").startswith("● server.py:22 ×")
    assert browser.run("[...document.querySelectorAll('.play-source li.stop')].map((one) => one.textContent)") == ["line 22"]
    _press(browser, "Home", "c")
    assert _at(browser)[0] == 2
    assert browser.run("document.getElementById('play-note').textContent") == "stopped at server.py:22"
    _click(browser, ".play-source li:nth-child(22)")
    assert browser.run("Player.deck().breaks.length") == 0


@pytest.mark.parametrize(("typed", "operation", "outcome"), [
    ("sendall", "sendall", "ok"), ("reset", "recv", "reset"), ("recv eof", "recv", "eof"), ("listener", "bind", "ok"),
    ("cyd", "recv", "reset"),
    ("server.py:22", "sendall", "ok"), (":12 ok", "accept", "ok")])
def test_breakpoints_stop_where_the_words_fit(browser: Browser, page: str, typed: str, operation: str, outcome: str) -> None:
    _open(browser, page, "play&run=1")
    _press(browser, "b")
    for letter in typed:
        browser.press(letter)
    _press(browser, "Enter")
    _press(browser, *"+" * 30, " ")
    browser.until("!Player.deck().playing")
    found = browser.run("(() => { const {reel} = Player.deck(); const call = reel.line.call(reel.current());"
                        " return [call.operation, call.outcome]; })()")
    assert found == [operation, outcome]
    assert browser.run("document.getElementById('play-note').textContent") == f"stopped at {typed}"
    _press(browser, "x", "b", "q", "q", "Enter")
    assert browser.run("[Player.deck().breaks.length, document.getElementById('play-note').textContent]") == [0, "qq means nothing here"]


@pytest.mark.parametrize(("typed", "wanted"), [("1.4s", 1400 * MS), ("200 ms", 200 * MS), ("50%", 1000 * MS), ("3", 100 * MS)])
def test_jumps_lead_to_a_moment_or_a_step(browser: Browser, page: str, typed: str, wanted: int) -> None:
    _open(browser, page, "play&run=1")
    _press(browser, "g", *typed, "Enter")
    assert _at(browser)[1] == wanted


def test_the_line_of_time_is_dragged(browser: Browser, page: str) -> None:
    _open(browser, page, "play&run=1")
    left, width, y = browser.run("(() => { const box = document.getElementById('play-marks').getBoundingClientRect();"
                                 " return [box.x, box.width, box.y + box.height / 2]; })()")
    browser.drag(left + 5, y, left + width / 2, y)
    _settle(browser)
    assert _at(browser)[1] == pytest.approx(1000 * MS, rel=0.02)
    _press(browser, "ArrowRight")
    assert _at(browser)[1] == 1400 * MS
    assert "of 18" in browser.run("document.getElementById('play-seek').getAttribute('aria-valuetext')")


def test_two_runs_stand_beside_each_other_in_step(browser: Browser, page: str) -> None:
    _open(browser, page, "play&run=1,2&at=1000000000")
    heads = "Player.deck().reels.map((reel) => reel.head.at)"
    # From the first client on: 100 ms in the one, 109 ms in the other.
    assert browser.run(heads) == [1000 * MS, 1009 * MS]
    boxes = browser.run("[...document.querySelectorAll('.play-run')].map((one) => one.getBoundingClientRect().x)")
    assert boxes[0] < 100 < 500 < boxes[1]
    assert "has begun and has not come back" in _sentence(browser)
    assert [browser.run(f"document.querySelectorAll('.play-name')[{n}].textContent") for n in (0, 1)] == ["blocking", "nonblocking"]
    _choose(browser, "play-mode", "exchange")
    _press(browser, "Home", "n", "n")
    assert browser.run(heads) == [201 * MS, 211 * MS + 50 * US]
    browser.until("location.hash.includes('mode=exchange')")
    _press(browser, "o", "n")
    assert browser.run("Player.deck().active") == 1
    _press(browser, "m", "Home")
    before = browser.run(heads)
    assert before[1] == 0 < before[0]
    _choose(browser, "play-beside", "")
    browser.until("Player.deck().reels.length === 1")


def test_an_address_leads_back_to_the_moment(browser: Browser, page: str) -> None:
    _open(browser, page, "play&run=2,1&at=162030000&mode=exchange")
    told = [_sentence(browser, run) for run in (0, 1)]
    assert "ben" in told[0]
    _press(browser, "ArrowRight", "ArrowLeft")
    browser.until("location.hash === '#play&run=2,1&at=162030000&mode=exchange'")
    address = browser.run("location.href")
    browser.open(address)
    _settle(browser)
    assert [_sentence(browser, run) for run in (0, 1)] == told


@pytest.mark.parametrize("nonsense", ["play", "play&run=9&at=x", "play&run=-1,zzz&step=1e9", "play&at=-5",
                                      "play&at=1e300&mode=%00&speed=99"])
def test_an_address_that_means_nothing_opens_all_the_same(browser: Browser, page: str, nonsense: str) -> None:
    _open(browser, page, nonsense)
    browser.until("Player.isOpen() && document.querySelector('.play-sentence').textContent")
    assert browser.said == []


def test_others_may_hold_it_before_a_step_is_shown(browser: Browser, page: str) -> None:
    _open(browser, page, "play&run=1")
    browser.run("(() => { window.asked = []; window.done = new Set(); Player.gate = {wants: (reel, position) => "
                "reel.line.call(position).operation === 'recv' && !done.has(position),"
                " ask: (reel, position) => asked.push(position)}; })()")
    _press(browser, "ArrowRight", "ArrowRight", "ArrowRight")
    assert browser.run("[asked, Player.deck().reel.head.position]") == [[], 3]
    browser.run("Player.veil(true)")
    _press(browser, "ArrowRight")
    assert browser.run("[asked, Player.deck().reel.head.position, Player.deck().reel.head.at]") == [[3], 3, 101 * MS]
    assert _sentence(browser) == "?"
    browser.run("done.add(3); Player.veil(false)")
    _press(browser, "ArrowRight")
    assert browser.run("Player.deck().reel.head.position") == 4
    _press(browser, *"+" * 30, " ")
    browser.until("asked.length === 2")
    assert browser.run("[asked[1], Player.deck().playing, Player.deck().reel.head.position]") == [5, False, 5]
    _press(browser, "End")
    assert browser.run("Player.deck().reel.head.position === Player.deck().reel.line.length")


def test_it_speaks_chinese(browser: Browser, page: str) -> None:
    _open(browser, page, "play&run=1,2&at=1000000000")
    _press(browser, "l")
    shown = browser.run("[...document.querySelectorAll('#player [data-word], #player .title, #player .play-sentence, #player button')]"
                        ".filter((one) => one.checkVisibility() && !one.closest('.play-rows'))"
                        ".map((one) => one.textContent.trim()).filter(Boolean)")
    assert len(shown) > 15
    plain = [text for text in shown if text.isascii() and text not in ("English", "CPU") and not text.replace(",", "").isdigit()]
    assert plain == []
    assert _sentence(browser).startswith("对客户")
    _press(browser, "?")
    assert "播放" in browser.run("document.getElementById('keys-list').textContent")
    missing = browser.run("Object.keys(WORDS.en).filter((key) => key.startsWith('play') && !(key in WORDS.zh))")
    assert missing == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("hash_", ["play&run=2&at=1000000000", "play&run=1,2&at=1000000000"])
def test_axe_finds_nothing_that_shuts_anybody_out(browser: Browser, page: str, theme: str, hash_: str) -> None:
    _open(browser, page, hash_)
    browser.run(f"Style.isDark() === {str(theme == 'dark').lower()} || Main.wear()")
    browser.run("PlayAsk.add('recv'); 1")
    _settle(browser)
    assert violations(browser) == []


def test_a_screen_reader_is_told_each_step_and_not_while_time_flies(browser: Browser, page: str) -> None:
    _open(browser, page, "play&run=2")
    _press(browser, "ArrowRight")
    live = "document.getElementById('play-told').textContent"
    assert browser.run(live) == _sentence(browser)
    assert browser.run("document.getElementById('play-told').getAttribute('aria-live')") == "polite"
    browser.run("(() => { window.heard = 0; new MutationObserver((list) => { heard += list.length; })"
                ".observe(document.getElementById('play-told'), {childList: true}); })()")
    shown, passed_ms = browser.run("""(async () => { const seen = new Set(); const start = performance.now(); Player.deck().playing = true;
        for (let n = 0; n < 30; n++) { Player.move((deck) => deck.stepFruitful(true));
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            seen.add(document.querySelector('.play-sentence').textContent); }
        Player.deck().playing = false; return [seen.size, performance.now() - start]; })()""")
    assert shown > 12
    assert browser.run("heard") <= 1 + passed_ms / 1500 < shown
    _press(browser, "ArrowRight")
    assert browser.run(live) == _sentence(browser)


def test_less_motion_is_honoured_where_it_is_wanted(browser: Browser, page: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    try:
        _open(browser, page, "play&run=2&at=300000000")
        drawn: Any = browser.run("""new Promise((done) => { let [drawn, frames] = [0, 0];
            Player.listen(() => { drawn += 1; });
            Player.toggle();
            const count = () => { frames += 1; frames < 40 ? requestAnimationFrame(count) : done([drawn, frames]); };
            requestAnimationFrame(count); })""")
        browser.run("Player.toggle()")
        assert drawn[0] < drawn[1] / 3
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])


def test_a_narrow_screen_shows_everything_below_each_other(browser: Browser, page: str) -> None:
    browser.resize(390, 844)
    try:
        _open(browser, page, "play&run=1,2&at=1000000000")
        assert browser.run("document.documentElement.scrollWidth") <= 390
        boxes = browser.run("[...document.querySelectorAll('.play-run')].map((one) => one.getBoundingClientRect().toJSON())")
        assert boxes[0]["bottom"] <= boxes[1]["top"]
        bar = browser.run("document.getElementById('play-bar').getBoundingClientRect().bottom")
        assert bar <= 844
        sizes = browser.run("[...document.querySelectorAll('#play-buttons button')].map((one) => one.getBoundingClientRect().height)")
        assert min(sizes) >= 44
        _click(browser, "#play-step")
        assert _at(browser)[1] == 1400 * MS
    finally:
        browser.resize(1280, 800)


def test_where_no_client_is_known_connections_show_what_was_heard_and_said(browser: Browser, tmp_path: Path) -> None:
    """Open ones, and below them those that have been closed; fifty of them, as many as there is room for."""
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("one")
        thread = run.thread()
        listener = run.socket(3, "listener", opened_ns=0)
        sockets = [run.socket(4 + n, peer=f"127.0.0.1:{5000 + n}", parent_id=listener, opened_ns=MS)
                   for n in range(50)]
        for n, socket in enumerate(sockets):
            run.call(thread, "recv", socket, at_ns=(2 + n) * MS, duration_ns=9 * US, payload=b"asked %d" % n)
            run.call(thread, "sendall", socket, at_ns=(2 + n) * MS + 20 * US, duration_ns=9 * US, payload=b"<b>told %d" % n)
        run.finish(300 * MS)
    page = write_page(tmp_path / "t.html", tmp_path / "t.db")
    texts = "[...document.querySelectorAll('.play-drawing text')].map((one) => one.textContent)"
    _open(browser, page, "play&at=100000000")
    drawn = browser.run(texts)
    assert "connections" in drawn
    assert "clients" not in drawn
    assert "→ 'asked 49'" in drawn
    assert "← '<b>told 49'" in drawn
    assert any(text.startswith("and ") and text.endswith(" more") for text in drawn)
    _open(browser, page, "play&at=2100000")
    assert "→ 'asked 0'" in browser.run(texts)
    with Recording(tmp_path / "few.db") as recording:
        run = recording.run("one")
        thread = run.thread()
        socket = run.socket(4, peer="127.0.0.1:5000", opened_ns=MS, closed_ns=50 * MS)
        run.call(thread, "recv", socket, at_ns=2 * MS, duration_ns=9 * US, payload=b"short")
        run.finish(300 * MS)
    _open(browser, write_page(tmp_path / "few.html", tmp_path / "few.db"), "play&at=100000000")
    drawn = browser.run(texts)
    assert "fd 4 127.0.0.1:5000 · closed" in drawn
    assert "→ 'short'" in drawn
    assert browser.said == []
