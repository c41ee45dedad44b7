"""The page in a real browser: opened from a file, looked at, and used as people use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sockreel.tests.browser import Browser, chromium
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.traces import open_trace
from sockreel.traces.excerpt import Excerpt

from .pages import violations, write_page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="needs Chromium")]

# What a hostile peer may send: markup that runs, ends of scripts, separators and marks that turn lines around, nothing that is text.
NASTY = ("<script>alert(1)</script></script><img src=x onerror=alert(2)><svg onload=alert(3)>"
         "\u2028\u2029\u202etxt.exe\u2066\x00\x1b[31m").encode()


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page in which every text is hostile, and one payload is ten million bytes of nonsense."""
    folder = tmp_path_factory.mktemp("nasty")
    text = NASTY.decode().replace("\0", "")
    with Recording(folder / "t.db") as recording:
        run = recording.run(text, command=json.dumps([text]))
        thread = run.thread(text)
        socket = run.socket(4, peer=text, local=text)
        run.call(thread, "recv", socket, at_ns=10 * MS, duration_ns=2 * MS, payload=NASTY, peer=text, site=(text, 3, text, text))
        run.call(thread, "recv", socket, at_ns=20 * MS, duration_ns=2 * MS, payload=bytes(range(256)) * 40_000)
        recording.insert("sources", file=text, sha256="", text=f"1\n2\n{text}\n4")
        run.exchange(text, 1, socket, sent_ns=9 * MS, answered_ns=13 * MS)
        run.finish(30 * MS)
    return write_page(folder / "t.html", folder / "t.db")


def _row(browser: Browser, run: int, kind: str, number: int = 0) -> tuple[float, float, float]:
    """Return where a lane stands in the window: its left and right end, and its middle; scrolls to it."""
    browser.run(f"Stage.bring(Stage.rows().filter((row) => row.run.index === {run} && row.type === '{kind}')[{number}]); 1")
    _settle(browser)
    left, right, y = browser.run(
        f"(() => {{ const row = Stage.rows().filter((one) => one.run.index === {run} && one.type === '{kind}')[{number}];"
        " const box = document.getElementById('timeline').getBoundingClientRect();"
        " return [box.x + Stage.gutter(), box.right, box.y + row.y - Stage.top() + row.height / 2]; })()")
    return left, right, y


def _settle(browser: Browser) -> None:
    """Wait until what was changed is drawn."""
    browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(1)))))")


def _view(browser: Browser) -> tuple[float, float]:
    _settle(browser)
    start, end = browser.run("[State.from, State.to]")
    return start, end


def test_it_opens_from_a_file_and_says_and_asks_nothing(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.run("new Promise((done) => setTimeout(done, 300))")
    assert browser.said == []
    assert browser.requested == [page]
    assert browser.run("document.title") == "lecture.db · sockreel"
    assert browser.run("Stage.rows().filter((row) => row.type === 'run').map((row) => row.name)") == ["blocking", "nonblocking"]
    assert len(browser.picture()) > 20_000


def test_the_policy_lets_no_script_and_no_style_of_others_in(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.run("""(() => { const one = document.createElement("script"); one.textContent = "window.broken = 1"; document.body.append(one);
        document.body.insertAdjacentHTML("beforeend", '<img src="x:" onerror="window.broken = 2">'); })()""")
    browser.until("true")
    assert browser.run("window.broken") is None
    assert any("Content Security Policy" in line for line in browser.said)
    assert browser.run("fetch('http://127.0.0.1:9/').then(() => 'went', () => 'refused')") == "refused"


def test_wheel_drag_and_double_click_move_the_view(browser: Browser, page: str) -> None:
    browser.open(page)
    whole = _view(browser)
    left, right, y = _row(browser, 0, "thread")
    middle = (left + right) / 2
    about = browser.run(f"Stage.timeAt({middle} - document.getElementById('timeline').getBoundingClientRect().x)")
    browser.mouse("mouseWheel", middle, y, deltaX=0, deltaY=-300)
    start, end = _view(browser)
    assert whole[0] < start < about < end < whole[1]
    assert (start + end) / 2 == pytest.approx(about, rel=1e-6)
    browser.drag(middle, y, middle - 100, y)
    moved = _view(browser)
    assert moved[0] - start == pytest.approx(100 * (end - start) / (right - left), rel=1e-3)
    assert moved[1] - moved[0] == pytest.approx(end - start)
    browser.mouse("mouseWheel", middle, y, deltaX=0, deltaY=-100, modifiers=8)
    assert _view(browser)[1] - _view(browser)[0] == pytest.approx(end - start)
    for _ in range(12):
        browser.mouse("mouseWheel", middle, y, deltaX=0, deltaY=1000)
    assert _view(browser) == whole


def test_two_fingers_zoom(browser: Browser, page: str) -> None:
    browser.open(page)
    whole = _view(browser)
    left, right, y = _row(browser, 0, "thread")
    middle = (left + right) / 2
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    try:
        for kind, distance in (("touchStart", 50), ("touchMove", 100), ("touchMove", 150)):
            points = [{"x": middle + side * distance, "y": y, "id": n} for n, side in enumerate((-1, 1))]
            browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    finally:
        browser.call("Emulation.setTouchEmulationEnabled", enabled=False)
    start, end = _view(browser)
    assert end - start == pytest.approx((whole[1] - whole[0]) / 3, rel=0.05)


def test_keys_alone_lead_to_a_call_and_back(browser: Browser, page: str) -> None:
    browser.open(page)
    whole = _view(browser)
    browser.run("document.getElementById('timeline').focus()")
    for key in ("+", "ArrowRight"):
        browser.press(key)
    start, end = _view(browser)
    assert end - start == pytest.approx((whole[1] - whole[0]) / 2)
    assert start > (whole[0] + whole[1]) / 2 - (end - start) / 2
    browser.press("0")
    assert _view(browser) == whole
    browser.press("ArrowDown")
    assert "blocking, MainThread: blocked" in browser.run("document.getElementById('live').textContent")
    browser.press("Enter")
    _settle(browser)
    assert browser.run("State.selected.operation") == "bind"
    browser.press(".")
    _settle(browser)
    assert browser.run("State.selected.operation") == "listen"
    assert "listen" in browser.run("document.getElementById('live').textContent")
    browser.press("Escape")
    _settle(browser)
    assert browser.run("State.selected") is None
    assert browser.run("document.getElementById('aside').hidden")


def test_a_click_tells_everything_about_a_call(browser: Browser, page: str) -> None:
    browser.open(page)
    left, right, y = _row(browser, 0, "thread")
    x = browser.run("Stage.xOf(150e6 - State.offset(State.runs[0]))")
    browser.click(left - browser.run("Stage.gutter()") + x, y)
    _settle(browser)
    told = browser.run("document.getElementById('details').innerText")
    for words in ("recv · fd 4 ada", "MainThread", "blocked", "99 ms", "1024", "server.py:18", "127.0.0.1:50001", "hello",
                  "data = connection.recv(1024)", "sendall #", "ada, exchange 1: ok after"):
        assert words in told, words
    browser.run("[...document.querySelectorAll('#details button')].find((one) => one.textContent.startsWith('sendall')).click()")
    _settle(browser)
    assert browser.run("State.selected.operation") == "sendall"
    assert "HELLO" in browser.run("document.querySelector('.bytes').textContent")
    assert right > left


def test_a_fruitless_call_names_its_spin(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.run("State.select(State.runs[1], State.runs[1].kinds.indexOf(1), true); 1")
    _settle(browser)
    assert "one of 600 fruitless calls in a row" in browser.run("document.getElementById('details').innerText")


def test_search_and_filter_find_calls(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.press("/")
    for letter in "reset":
        browser.press(letter)
    browser.until("document.getElementById('found').textContent.startsWith('2 calls match')")
    browser.press("Enter")
    browser.until("State.selected?.outcome === 'reset'")
    first = browser.run("State.selected.id")
    browser.press("Enter")
    browser.until(f"State.selected?.outcome === 'reset' && State.selected.id !== {first}")
    browser.run("Find.set({q: 'RED\\u0007', operation: 'sendall'})")
    browser.until("document.getElementById('found').textContent.startsWith('2 calls match')")
    browser.run("Find.set({outcome: 'would_block', socket: 'fd 4 ada'})")
    browser.until("/^[\\d,]+ calls match/.test(document.getElementById('found').textContent)")
    shown = browser.run("State.runs[1].threads[0].begun(0, 2e9, State.filter)")
    assert browser.run("document.getElementById('found').textContent").startswith(f"{sum(shown):,} calls match")
    assert shown[1] == sum(shown) > 5_000
    browser.run("Find.set({q: 'no such thing'})")
    browser.until("document.getElementById('found').textContent === 'no call matches'")


def test_an_address_leads_back_to_what_was_in_view(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.run("State.show(2e8, 3e8); State.select(State.runs[1], 3); Find.set({operation: 'accept'}); 1")
    browser.until("location.hash.includes('call=') && location.hash.includes('operation=accept')")
    address = browser.run("location.href")
    chosen = browser.run("State.selected.id")
    assert "#t=200000000&w=100000000" in address
    browser.open(address)
    assert _view(browser) == (2e8, 3e8)
    assert browser.run("[State.selected.run.index, State.selected.id, State.filter.operation]") == [1, chosen, "accept"]
    browser.open(page + "#t=%zz&w=-1&call=999999999&q=")
    assert browser.said == []
    assert browser.run("State.selected") is None


def test_the_ruler_measures(browser: Browser, page: str) -> None:
    browser.open(page)
    left, right, y = _row(browser, 1, "thread")
    browser.drag(left + 100, y, left + 300, y, modifiers=8)
    _settle(browser)
    start, end = browser.run("State.ruler")
    view = _view(browser)
    assert end - start == pytest.approx(200 * (view[1] - view[0]) / (right - left), rel=1e-6)
    begun = browser.run("State.runs.reduce((sum, run) => sum + [...run.starts].filter((at) => "
                        "at >= State.ruler[0] + run.offset && at < State.ruler[1] + run.offset).length, 0)")
    assert f"{begun:,} calls begun" in browser.run("document.getElementById('status').textContent")
    assert begun > 100


COLOURS = {"blocked": (86, 180, 233), "fruitless": (230, 159, 0), "moved": (0, 158, 115), "other": (160, 166, 173)}


def _columns(browser: Browser, run: int) -> list[dict[str, int]]:
    """Return per column of a thread's lane how many pixels have the colour of each class, as seen on the canvas."""
    classify = """((COLOURS) => {
      const row = Stage.rows().find((one) => one.run.index === RUN && one.type === "thread");
      const canvas = document.getElementById("timeline");
      const box = Stage.boxOf(row, Math.round(row.y - Stage.top()));
      const top = box.y + Draw.strip(), high = box.height - Draw.strip();
      const {data} = canvas.getContext("2d").getImageData(box.x, top, box.width, high);
      const names = Object.keys(COLOURS), shares = [];
      for (let x = 0; x < box.width; x++) {
        const found = Object.fromEntries(names.map((name) => [name, 0]));
        for (let y = 0; y < high; y++) {
          const at = 4 * (y * box.width + x), most = Math.max(data[at], data[at + 1], data[at + 2]);
          if (most - Math.min(data[at], data[at + 1], data[at + 2]) < 30) {
            if (most < 200) found.other++;
            continue;
          }
          // A pattern darkens a colour and leaves its hue.
          const hue = (name, n) => COLOURS[name][n] / Math.max(...COLOURS[name]);
          const distance = (name) => [0, 1, 2].reduce((sum, n) => sum + Math.abs(data[at + n] / most - hue(name, n)), 0);
          found[names.reduce((best, name) => distance(name) < distance(best) ? name : best)]++;
        }
        shares.push(found);
      }
      return {high, shares};
    })""".replace("RUN", str(run))
    found = browser.run(f"{classify}({json.dumps(COLOURS)})")
    return [{**column, "high": found["high"]} for column in found["shares"]]


@pytest.mark.parametrize("window", [(0, 2_000_000_000), (300_000_000, 500_000_000), (400_000_000, 420_000_000)])
def test_shares_of_time_on_the_screen_are_those_of_the_trace(
    browser: Browser, page: str, lecture_file: Path, window: tuple[int, int],
) -> None:
    browser.open(page)
    browser.run(f"State.show({window[0]} - State.offset(State.runs[1]), {window[1]} - State.offset(State.runs[1])); 1")
    _row(browser, 1, "thread")
    columns = _columns(browser, 1)
    low, high = (at + browser.run("State.offset(State.runs[1])") for at in _view(browser))
    with open_trace(lecture_file) as trace:
        run = trace.find_run("nonblocking")
        spans: list[tuple[int, int]] = [
            (row["started_ns"], row["started_ns"] + row["duration_ns"]) for row in Excerpt(trace, run).calls()
            if row["outcome"] == "would_block" and row["duration_ns"] is not None]
    step = (high - low) / len(columns)
    wanted = [0.0] * len(columns)
    for start, end in spans:
        for n in range(max(0, int((start - low) / step)), min(len(columns) - 1, int((end - low) / step)) + 1):
            wanted[n] += max(0.0, min(end, low + (n + 1) * step) - max(start, low + n * step)) / step
    assert sum(wanted) > 100
    wrong = [n for n, column in enumerate(columns) if abs(column["fruitless"] - wanted[n] * column["high"]) > 1.01]
    assert wrong == [], [(n, columns[n], wanted[n] * columns[n]["high"]) for n in wrong[:5]]


def test_what_strangers_sent_is_text_and_nothing_of_it_runs(browser: Browser, nasty: str) -> None:
    browser.open(nasty)
    browser.run("State.select(State.runs[0], 0); 1")
    _settle(browser)
    shown: dict[str, Any] = browser.run("""({text: document.querySelector(".bytes").textContent, all: document.body.innerText,
        scripts: document.querySelectorAll("#main script, #main img, #main svg, #below script, #below img").length})""")
    assert shown["text"] == ("<script>alert(1)</script></script><img src=x onerror=alert(2)><svg onload=alert(3)>"
                             "\\u{2028}\\u{2029}\\u{202e}txt.exe\\u{2066}\\x00\\x1b[31m")
    assert shown["scripts"] == 0
    assert not set(shown["all"]) & set("\u2028\u2029\u202e\u2066\x1b\0")
    assert "<img src=x onerror=alert(2)>" in browser.run("document.querySelector('.code .here').textContent")
    browser.run("State.select(State.runs[0], 1); 1")
    _settle(browser)
    assert "10,240,000 of 10,240,000 bytes" in browser.run("document.getElementById('details').innerText")
    assert "Show more" in browser.run("document.querySelector('.payload').innerText")
    browser.run("[...document.querySelectorAll('.tabs button')][1].click()")
    _settle(browser)
    assert browser.run("document.querySelector('.bytes').textContent").startswith("000000  00 01 02 03")
    assert browser.said == []
    assert browser.requested == [nasty]


def test_it_speaks_chinese_and_wears_dark(browser: Browser, page: str) -> None:
    browser.open(page)
    light = browser.picture()
    browser.run("document.getElementById('theme').click(); document.getElementById('language').click()")
    _settle(browser)
    assert browser.run("[document.documentElement.lang, document.documentElement.dataset.theme]") == ["zh-Hans", "dark"]
    assert "阻塞" in browser.run("document.getElementById('legend').innerText")
    assert browser.run("Object.keys(WORDS.en).filter((key) => !(key in WORDS.zh))") == []
    assert browser.picture() != light


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_that_shuts_anybody_out(browser: Browser, page: str, theme: str) -> None:
    browser.open(page)
    browser.run(f"Style.isDark() === {str(theme == 'dark').lower()} || Main.wear()")
    browser.run("Find.set({q: 'reset'}); State.select(State.runs[0], 3); 1")
    browser.until("document.querySelector('#view-table table')")
    assert violations(browser) == []


def test_a_narrow_screen_shows_everything_below_each_other(browser: Browser, page: str) -> None:
    browser.resize(390, 800)
    try:
        browser.open(page)
        browser.run("State.select(State.runs[0], 3); 1")
        _settle(browser)
        assert browser.run("document.documentElement.scrollWidth") <= 390
        assert browser.run("document.getElementById('timeline').getBoundingClientRect().width") >= 380
    finally:
        browser.resize(1280, 800)


def test_calls_inside_of_calls_and_on_one_socket_at_once_never_fill_more_than_a_column(browser: Browser, tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("r")
        socket = run.socket(4)
        for name in ("one", "two"):
            thread = run.thread(name)
            outer = run.call(thread, "recv", socket, at_ns=10 * MS, duration_ns=60 * MS, result=5)
            run.call(thread, "recv", socket, at_ns=20 * MS, duration_ns=50 * US, result=5, parent_id=outer)
        run.finish(100 * MS)
    browser.open(write_page(tmp_path / "t.html", tmp_path / "t.db"))
    tall = browser.run("""(() => { const lane = State.runs[0].sockets[0]; const rows = Draw.heights(lane, 0, 1e8, 200, 20, null);
        return Array.from({length: 200}, (_, n) => rows.reduce((sum, row) => sum + row[n], 0)); })()""")
    assert max(tall) == 20
    assert sum(height == 20 for height in tall) == 120
    assert browser.run("State.runs[0].sockets[0].spent(0, 1e8)") == [120 * MS, 0, 100 * US, 0]
    assert browser.run("State.runs[0].lanes.get('socket1').at(20.01e6, 0) !== null")


def test_packets_stand_on_their_connection_and_beside_the_call_that_they_carried(browser: Browser, tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("r")
        socket = run.socket(4, local="127.0.0.1:80", peer="127.0.0.1:5000")
        call = run.call(run.thread(), "recv", socket, at_ns=20 * MS, duration_ns=50 * US, payload=b"hello")
        for at_ns, source, size in ((10 * MS, "127.0.0.1:5000", 5), (11 * MS, "127.0.0.1:80", 0)):
            destination = "127.0.0.1:80" if size else "127.0.0.1:5000"
            packet = recording.insert("packets", run_id=run.id, at_ns=at_ns, source=source, destination=destination,
                                      flags="PA" if size else "A", payload_bytes=size, socket_id=socket, frame=b"")
            if size:
                recording.insert("carried", packet_id=packet, call_id=call)
        run.finish(30 * MS)
    browser.open(write_page(tmp_path / "t.html", tmp_path / "t.db"))
    assert browser.run("State.runs[0].packets.get(1).map((one) => [one.at, one.bytes, one.sent])") == [[10 * MS, 5, 0], [11 * MS, 0, 1]]
    browser.run("State.select(State.runs[0], 0); 1")
    _settle(browser)
    assert "← PA 5 B, −10 ms" in browser.run("document.getElementById('details').innerText")
    assert "tick on a connection" in browser.run("document.getElementById('legend').innerText")
    _row(browser, 0, "socket")
    dark = browser.run("""(() => { const row = Stage.rows().find((one) => one.type === "socket");
        const box = Stage.boxOf(row, Math.round(row.y - Stage.top())); const x = Math.round(Stage.xOf(1e7) - Stage.gutter());
        const {data} = document.getElementById("timeline").getContext("2d").getImageData(box.x + x - 2, box.y + Draw.strip(), 5, 6);
        return Math.min(...data.filter((_, n) => n % 4 === 0)); })()""")
    assert dark < 60


def test_marks_are_as_large_on_a_fine_screen_as_on_a_coarse_one(browser: Browser, page: str) -> None:
    """Two device pixels to each of CSS: strips, dots and diamonds take twice as many, so that a picture of it has the same shares."""
    height = ("(() => { const row = Stage.rows().find((one) => one.type === 'thread');"
              " return (Stage.boxOf(row, 0).height - Draw.strip()) / devicePixelRatio; })()")
    marked = """(() => {
      const row = Stage.rows().find((one) => one.type === "thread");
      const box = Stage.boxOf(row, Math.round((row.y - Stage.top()) * devicePixelRatio));
      const {data} = document.getElementById("timeline").getContext("2d").getImageData(box.x, box.y, box.width, Draw.strip());
      let found = 0;
      const near = (at, value) => Math.abs(data[at] - value) < 9;
      for (let at = 0; at < data.length; at += 4) if (near(at, 213) && near(at + 1, 94) && near(at + 2, 0)) found++;
      return found / devicePixelRatio ** 2;
    })()"""
    seen = {}
    try:
        for scale in (1, 2):
            browser.resize(1000, 800, scale)
            browser.open(page)
            _settle(browser)
            seen[scale] = browser.run(f"[{height}, {marked}, Draw.strip()]")
    finally:
        browser.resize(1000, 800)
    assert seen[1][0] == pytest.approx(seen[2][0])
    assert seen[1][1] > 20
    assert seen[2][1] == pytest.approx(seen[1][1], rel=0.4)
    assert (seen[1][2], seen[2][2]) == (7, 14)
