"""What the page plays is what the terminal plays: the same steps, the same state after each, the same sentences."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from sockreel.replay.language import LANGUAGES, language
from sockreel.replay.page.document import shown_runs
from sockreel.replay.page.film import film
from sockreel.replay.page.html import write_html
from sockreel.replay.player.deck import Deck, Reel
from sockreel.replay.player.panes import sentence
from sockreel.replay.player.state import Play, State
from sockreel.replay.player.timeline import Playhead
from sockreel.replay.player.view import view_of
from sockreel.replay.reading import Reader
from sockreel.tests.browser import Browser, chromium
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.traces import Trace, open_trace
from sockreel.traces.excerpt import Excerpt

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="needs Chromium")]


def crowd(path: Path) -> Path:
    """A run of two threads with all that makes stepping hard: TLS, peeks, folds, a descriptor used again, calls that never return."""
    with Recording(path) as recording:
        run = recording.run("crowd")
        first, second = run.thread("one"), run.thread("two")
        listener = run.socket(3, "listener", local="127.0.0.1:8000", opened_ns=MS)
        left = run.socket(4, peer="127.0.0.1:50001", local="127.0.0.1:8000", parent_id=listener, opened_ns=5 * MS, closed_ns=40 * MS,
                          closed_by="close")
        right = run.socket(4, peer="127.0.0.1:50002", local="127.0.0.1:8000", parent_id=listener, opened_ns=41 * MS)
        run.call(first, "accept", listener, at_ns=2 * MS, duration_ns=3 * MS, result=left)
        run.call(second, "recv", left, at_ns=6 * MS, duration_ns=10 * MS, asked=100, result=100)
        run.call(first, "recv", left, at_ns=7 * MS, duration_ns=US, result=9, flags=2)
        inner = run.call(first, "sendall", left, at_ns=8 * MS, duration_ns=20 * US, result=50)
        run.call(first, "send", left, at_ns=8 * MS + US, duration_ns=5 * US, result=50, parent_id=inner)
        run.spin(first, "recv", right, at_ns=42 * MS, until_ns=44 * MS, every_ns=100 * US, duration_ns=50 * US)
        run.call(second, "accept", listener, at_ns=40 * MS, duration_ns=1 * MS, result=right)
        run.call(first, "epoll_wait", at_ns=45 * MS, duration_ns=US, layer="wait", result=0, timeout_ns=0)
        carrier = run.call(first, "recv", right, at_ns=50 * MS + US, duration_ns=US, result=60)
        plain = run.call(first, "tls_recv", right, at_ns=50 * MS, duration_ns=10 * US, layer="tls", result=30)
        recording.insert("links", from_call_id=plain, to_call_id=carrier, kind="wrapped")
        run.call(first, "recv", right, at_ns=60 * MS, duration_ns=None)
        run.call(second, "accept", listener, at_ns=61 * MS, duration_ns=None)
        run.exchange("ünï 学", 1, left, connected_ns=3 * MS, sent_ns=4 * MS, answered_ns=9 * MS, sent_bytes=120, answered_bytes=50)
        run.exchange("ben", 1, right, connected_ns=3 * MS, sent_ns=4 * MS, sent_bytes=90)
        run.exchange("cyd", 0, None, connected_ns=10 * MS)
        run.exchange("ben", 2, right, connected_ns=3 * MS, sent_ns=43 * MS, sent_bytes=8, answered_ns=51 * MS, answered_bytes=1)
        for at_ms, run_ms in ((1, 3), (31, 7), (99, 90)):
            run.sample(at_ms * MS + 333, run_ms * MS + 77)
        run.finish(100 * MS, ended_by="killed")
    return path


def _page(trace: Trace, path: Path, **more: Any) -> str:
    with path.open("wb") as out:
        write_html([Excerpt(trace, run, **more) for run in trace.runs()], out)
    return path.as_uri()


SAMPLES = ("asyncio_streams", "io_uring-reset", "nonblocking", "nonblocking_sleep", "blocking_threads")


@pytest.fixture(scope="module", params=["lecture", "crowd", *SAMPLES])
def opened(request: pytest.FixtureRequest, lecture_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trace]:
    """A trace: made for this test, or recorded of a real server."""
    path = Path(str(resources.files("sockreel.traces") / "samples" / f"{request.param}.db"))
    if request.param not in SAMPLES:
        path = lecture_file if request.param == "lecture" else crowd(tmp_path_factory.mktemp("crowd") / "crowd.db")
    with open_trace(path) as one:
        yield one


@pytest.fixture(scope="module")
def address(opened: Trace, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its page."""
    return _page(opened, tmp_path_factory.mktemp("page") / "t.html")


def as_the_page_says(state: State) -> dict[str, Any]:
    """Return a state of the terminal's player with the page's keys."""
    return {
        "at": state.head.at_ns, "position": state.head.position, "calls": state.calls, "fruitless": state.fruitless,
        "received": state.received_bytes, "sent": state.sent_bytes, "cpu": state.cpu_ns,
        "sockets": [{"id": one.id, "role": one.role, "open": one.open, "calls": one.calls, "fruitless": one.fruitless,
                     "received": one.received_bytes, "sent": one.sent_bytes, "queued": one.queued_bytes, "by": one.queued_by,
                     "backlog": one.backlog,
                     "last": one.last_position} for one in state.sockets],
        "clients": [{"name": one.name, "socket": one.socket_id, "connected": one.connected, "accepted": one.accepted, "asked": one.asked,
                     "answered": one.answered, "waiting": one.waiting_since_ns, "failed": one.failed, "sentBytes": one.sent_bytes,
                     "answeredBytes": one.answered_bytes} for one in state.clients],
        "open": list(state.in_progress)}


def _heads(play: Play) -> list[Playhead]:
    """Return every step of a run, and moments between steps."""
    line = play.line
    return [*(line.at_call(position) for position in range(len(line) + 1)), *(line.at_time(line.end_ns * n // 97 + n) for n in range(98))]


def test_the_state_after_every_step_is_that_of_the_terminal(browser: Browser, opened: Trace, address: str) -> None:
    browser.open(address)
    for number, run in enumerate(opened.runs()):
        play = Play(Reader(opened, run), language("en"))
        heads = _heads(play)
        assert len(play.line) > 10
        asked = [{"position": head.position, "at": head.at_ns} for head in heads]
        said = browser.run(f"Films.reel(State.runs[{number}]).then((reel) => {asked}.map((head) => reel.play.at(head)))")
        for head, one in zip(heads, said, strict=True):
            assert one == as_the_page_says(play.state(head)), (run.name, head)
    assert browser.said == []


def _walk(deck: Deck, moves: list[tuple[str, Any]]) -> list[list[Any]]:
    """Move a deck of the terminal's player; return where its runs stand after each move, and what is told in each language."""
    does = {"row": deck.step_row, "call": deck.step, "fruitful": deck.step_fruitful, "exchange": deck.step_exchange,
            "advance": deck.advance}
    found = []
    for name, value in moves:
        if name == "time":
            deck.go(deck.reel.play.line.at_time(value))
        elif name == "half":
            deck.step_half()
        elif name == "turn":
            deck.turn_spin()
        elif name == "speed":
            deck.faster(value)
        elif name == "play":
            deck.playing = value
        elif name == "skip":
            deck.skipping = value
        else:
            does[name](value)
        for reel in deck.reels:
            told = []
            for code in LANGUAGES:
                reel.play.speak(language(code))
                told.append(sentence(view_of(deck, reel, language(code))))
            head = reel.head
            found.append([head.position, head.at_ns, reel.current(), list(reel.row(reel.current() or 0)), told if head.position else None])
    return found


WALK = """(async () => {
  const deck = new Deck(await Promise.all(RUNS.map((run) => Films.reel(State.runs[run]))));
  const does = {row: (n) => deck.stepRow(n), call: (n) => deck.step(n), fruitful: (on) => deck.stepFruitful(on),
    exchange: (on) => deck.stepExchange(on), time: (at) => deck.go(deck.reel.line.atTime(at)), half: () => deck.stepHalf(),
    turn: () => deck.turnSpin(), speed: (n) => deck.faster(n),
    play: (on) => { deck.playing = on; }, skip: (on) => { deck.skipping = on; }, advance: (s) => deck.advance(s)};
  const found = [];
  for (const [name, value] of MOVES) {
    does[name](value);
    for (const reel of deck.reels) {
      const told = ["en", "zh"].map((code) => { Words.language = code; return Told.sentence(reel); });
      found.push([reel.head.position, reel.head.at, reel.current(), reel.row(reel.current() ?? 0), reel.head.position ? told : null]);
    }
  }
  return found;
})()"""


def _moves(seed: int) -> list[tuple[str, Any]]:
    """Return a walk there and back: every kind of move, from everywhere."""
    chance = random.Random(seed)
    moves: list[tuple[str, Any]] = [("row", 1)] * 25 + [("half", None)] * 6 + [("turn", None), ("row", 1), ("row", 1), ("turn", None)]
    for _ in range(150):
        moves.append(chance.choice([
            ("row", chance.randint(-3, 3)), ("call", chance.randint(-5, 5)), ("fruitful", chance.random() < 0.5),
            ("exchange", chance.random() < 0.5), ("time", chance.randint(0, 2_100 * MS)), ("half", None), ("turn", None)]))
    moves += [("time", 0), ("speed", -6), ("play", True), *[("advance", 0.05)] * 40, ("skip", True), *[("advance", 0.5)] * 20]
    return [*moves, ("play", False), *[("row", -1)] * 30]


@pytest.mark.parametrize("together", [False, True])
def test_every_move_leads_where_it_does_in_the_terminal_and_tells_the_same(
    browser: Browser, opened: Trace, address: str, together: bool,
) -> None:
    browser.open(address)
    runs = opened.runs()
    for chosen in [[0, 1]] if together and len(runs) > 1 else [[number] for number in range(len(runs))]:
        moves = _moves(len(runs) + sum(chosen))
        deck = Deck([Reel(Play(Reader(opened, runs[number]), language("en")), "") for number in chosen])
        here = _walk(deck, moves)
        there = browser.run(WALK.replace("RUNS", str(chosen)).replace("MOVES", json.dumps(moves)))
        assert len({tuple(one[:2]) for one in here}) > 40
        for number, (one, other) in enumerate(zip(here, there, strict=True)):
            assert other == one, (chosen, number // len(chosen), moves[number // len(chosen)])
    assert browser.said == []


def test_a_part_of_a_run_begins_with_what_had_been(browser: Browser, lecture_file: Path, tmp_path: Path) -> None:
    with open_trace(lecture_file) as trace:
        start_ns, end_ns = 140 * MS + 7, 1_402 * MS
        browser.open(_page(trace, tmp_path / "part.html", start_ns=start_ns, end_ns=end_ns))
        for number, run in enumerate(trace.runs()):
            play = Play(Reader(trace, run), language("en"))
            base = play.line.at_time(start_ns).position
            moments = [start_ns + (end_ns - start_ns) * n // 61 for n in range(62)]
            said = browser.run(f"Films.reel(State.runs[{number}]).then((reel) => "
                               f"{moments}.map((at) => reel.play.at(reel.line.atTime(at))))")
            for at_ns, one in zip(moments, said, strict=True):
                wanted = as_the_page_says(play.state(play.line.at_time(at_ns)))
                wanted["open"] = [place - base for place in wanted["open"]]
                for socket, other in zip(wanted["sockets"], one["sockets"], strict=True):
                    socket["last"] = None if socket["last"] is None or socket["last"] < base else socket["last"] - base
                    assert other == socket
                assert one == wanted


def test_without_payloads_no_sentence_tells_them(browser: Browser, lecture_file: Path, tmp_path: Path) -> None:
    with open_trace(lecture_file) as trace:
        said = []
        for payload in (True, False):
            browser.open(_page(trace, tmp_path / "t.html", payload=payload))
            said.append(browser.run("Films.reel(State.runs[0]).then((reel) => reel.film.told.flat().join('\\n'))"))
    assert "quick" in said[0]
    assert "quick" not in said[1]
    assert len(said[1].splitlines()) == len(said[0].splitlines())


def test_what_comes_behind_the_steps_that_are_told_is_said_in_brief(lecture_file: Path) -> None:
    with open_trace(lecture_file) as trace:
        (shown, _) = shown_runs([(trace, run, None) for run in trace.runs()])
        (whole, _), (cut, _) = (film(shown, payload=True, most=most) for most in (1_000, 5))
    assert len(whole["told"][0]) > 15
    assert cut["told"] == [told[:5] for told in whole["told"]]
