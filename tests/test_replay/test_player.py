"""The player as people use it: keys and mouse in a terminal of any size, both languages, one run and two."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pytest
from rich.cells import cell_len
from sockreel.replay.language import Language, language
from sockreel.replay.player.app import Player
from sockreel.replay.player.breaks import Misread, read_break, read_jump
from sockreel.replay.player.deck import SPEEDS, Deck, Reel
from sockreel.replay.player.help import KEYS, HelpScreen, help_text
from sockreel.replay.player.state import Play
from sockreel.replay.reading import Reader
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, US, Recording
from sockreel.tests.test_replay.goldfiles import assert_like_gold
from sockreel.traces import open_trace
from textual.events import MouseScrollDown
from textual.pilot import Pilot

ENGLISH = language("en")
Act = Callable[["Screen"], Awaitable[None]]


class Screen:
    """A player under test, and what stands on its screen."""

    def __init__(self, player: Player, pilot: Pilot[None]) -> None:
        self.player = player
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type a text and Enter."""
        names = {".": "full_stop", "_": "underscore", ":": "colon", " ": "space"}
        await self.press(*(names.get(letter, letter) for letter in text), "enter")

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        strips = self.player.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    @property
    def source_row(self) -> int:
        """The row of the source in which the current line stands, from 0."""
        pane = next(iter(self.player.query(".source")))
        rows = [line[pane.region.x : pane.region.x + 1] for line in self.lines[pane.region.y + 1 : pane.region.bottom]]
        return next(row for row, sign in enumerate(rows) if sign in "▶▷" and sign)

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines) + "\n"


@contextmanager
def reels(file: Path, *labels: str, spoken: Language = ENGLISH, payloads: bool = True) -> Iterator[list[Reel]]:
    """Open runs of the lecture."""
    with open_trace(file) as trace:
        yield [Reel(Play(Reader(trace, trace.find_run(label)), spoken, payloads), label) for label in labels]


def perform(file: Path, act: Act, *labels: str, size: tuple[int, int] = (80, 24), spoken: Language = ENGLISH,
            clock: Callable[[], float] = lambda: 0.0, payloads: bool = True) -> None:
    """Run the player over runs of a file and let `act` press its keys."""
    async def performed(chosen: list[Reel]) -> None:
        player = Player(Deck(chosen), spoken, clock)
        async with player.run_test(size=size) as pilot:
            await pilot.pause()
            await act(Screen(player, pilot))

    with reels(file, *labels, spoken=spoken, payloads=payloads) as chosen:
        asyncio.run(performed(chosen))


@pytest.mark.parametrize(("name", "labels", "size", "keys", "code"), [
    ("blocking", ["blocking"], (80, 24), ["n", "right", "full_stop"], "en"),
    ("nonblocking", ["nonblocking"], (80, 24), ["n", "n", "right"], "en"),
    ("wide", ["blocking"], (140, 40), ["n", "n"], "en"),
    ("two", ["blocking", "nonblocking"], (110, 34), ["n", "n"], "en"),
    ("chinese", ["blocking"], (80, 24), ["n", "right", "full_stop"], "zh"),
    ("two_chinese", ["blocking", "nonblocking"], (80, 24), ["n", "n"], "zh"),
])
def test_a_moment_looks_as_it_was_accepted(
    lecture_file: Path, name: str, labels: list[str], size: tuple[int, int], keys: list[str], code: str,
) -> None:
    async def act(screen: Screen) -> None:
        await screen.press(*keys)
        assert len(screen.lines) == size[1]
        assert max(map(cell_len, screen.lines)) <= size[0]
        assert_like_gold(f"play_{name}.txt", screen.text)

    perform(lecture_file, act, *labels, size=size, spoken=language(code))


@pytest.mark.parametrize(("name", "run", "size", "keys", "code"), [
    ("help", "blocking", (80, 24), ["question_mark"], "en"),
    ("help_wide", "blocking", (120, 40), ["question_mark"], "en"),
    ("help_chinese", "blocking", (120, 40), ["question_mark"], "zh"),
    ("wide_chinese", "nonblocking", (140, 40), ["n", "n", "f"], "zh"),
    ("end", "blocking", (80, 24), ["end"], "en"),
])
def test_a_page_looks_as_it_was_accepted(
    lecture_file: Path, name: str, run: str, size: tuple[int, int], keys: list[str], code: str,
) -> None:
    async def act(screen: Screen) -> None:
        await screen.press(*keys)
        assert max(map(cell_len, screen.lines)) <= size[0]
        assert_like_gold(f"play_{name}.txt", screen.text)

    perform(lecture_file, act, run, size=size, spoken=language(code))


def _sample(name: str) -> Path:
    return Path(str(resources.files("sockreel.traces"))) / "samples" / f"{name}.db"


@pytest.mark.parametrize(("name", "sample", "size", "code"), [
    ("epoll", "epoll_edge", (100, 30), "en"), ("ring_chinese", "io_uring", (80, 24), "zh"), ("tutorial", "tutorial", (80, 24), "en"),
])
def test_a_server_that_was_recorded_looks_as_it_was_accepted(name: str, sample: str, size: tuple[int, int], code: str) -> None:
    """With its own source, packets, and lines to stop at."""
    async def act(screen: Screen) -> None:
        await screen.press("g", *"60%", "enter", "full_stop")
        await screen.pilot.click(next(iter(screen.player.query(".source"))), offset=(5, 1 + screen.source_row))
        await screen.pilot.pause()
        assert_like_gold(f"play_{name}.txt", screen.text)
        assert max(map(cell_len, screen.lines)) <= size[0]

    perform(_sample(sample), act, sample, size=size, spoken=language(code))


def test_a_click_on_the_source_stops_there_and_another_one_no_longer(tmp_path: Path) -> None:
    path = _sample("blocking")

    async def act(screen: Screen) -> None:
        player, deck = screen.player, screen.player.deck
        source = next(iter(player.query(".source")))

        async def click(row: int) -> None:
            await screen.pilot.click(source, offset=(12, row))
            await screen.pilot.pause()

        await screen.press("down", "down", "down", "down")
        row = screen.source_row + 1
        line = int(re.findall(r"[▶▷] *(\d+) ", screen.text)[0])
        await click(row)
        assert re.search(rf"[▶▷] *{line}●", screen.text)
        assert f"stops at {deck.breaks[0]}" in screen.text and deck.breaks[0].endswith(f":{line}")
        await screen.press("home", "c")
        span = deck.reel.play.span(deck.reel.head.position - 1)
        assert span.site is not None and span.site.line == line
        await click(screen.source_row + 1)
        assert deck.breaks == () and "●" not in screen.text.split("─ log")[0]
        await click(source.size.height - 1)
        assert deck.breaks == () and "nothing is called on line" in screen.text

    perform(path, act, "blocking", size=(100, 40))


def test_a_breakpoint_means_the_same_in_runs_of_two_files(lecture_file: Path, tmp_path: Path) -> None:
    """Ids differ from file to file: what is typed is looked up in each."""
    other = tmp_path / "other.db"
    with Recording(other) as recording:
        run = recording.run("other")
        thread, listener = run.thread(), run.socket(3, "listener")
        run.call(thread, "listen", listener, at_ns=MS)
        run.call(thread, "accept", listener, at_ns=2 * MS, site=("/srv/other.py", 7, "serve", "accept()"))
        run.call(thread, "recv", run.socket(9), at_ns=3 * MS, payload=b"x")
        run.finish(5 * MS)
    with reels(lecture_file, "blocking") as (one,), reels(other, "other") as (two,):
        deck = Deck([one, two], mode="alone")
        for active, text, operation in ((1, "fd=9", "recv"), (1, "other.py:7", "accept"), (0, "recv", "recv"), (1, "recv", "recv")):
            deck.active = active
            deck.clear_breaks()
            deck.to_end(False)
            deck.set_break(text)
            assert deck.breaks == (text,)
            assert deck.run_to_break()
            assert deck.reel.play.span(deck.reel.head.position - 1).operation == operation
        with pytest.raises(Misread):
            deck.set_break("fd=77")


def test_every_line_of_the_log_can_be_stepped_to_and_back(lecture_file: Path) -> None:
    async def act(screen: Screen) -> None:
        seen = [screen.text]
        for _ in range(18):
            await screen.press("right")
            seen.append(screen.text)
        assert len(set(seen)) == 19
        for before in reversed(seen[:-1]):
            await screen.press("left")
            assert screen.text == before

    perform(lecture_file, act, "blocking")


def test_a_blocked_call_is_seen_from_within(lecture_file: Path) -> None:
    async def act(screen: Screen) -> None:
        await screen.press("g")
        await screen.type("1s")
        assert re.search(r"recv\(fd 4 ada\) +──▶ waits for data", screen.text)
        assert "for 799 ms" in screen.text
        assert "accept queue: 2 (ben, cyd) ●●" in screen.text
        assert "recv on client ada has begun and has not come back: 799 ms so far" in screen.text.replace("\n", " ")

    perform(lecture_file, act, "blocking")


def test_calls_that_were_only_counted_are_no_call_that_lasts(tmp_path: Path) -> None:
    path = tmp_path / "folded.db"
    with Recording(path) as recording:
        run = recording.run("folded")
        thread, other = run.thread("spins"), run.thread("waits")
        listener = run.socket(3, "listener", local="127.0.0.1:8000", opened_ns=MS)
        left = run.socket(4, peer="127.0.0.1:50001", parent_id=listener, opened_ns=2 * MS)
        right = run.socket(5, peer="127.0.0.1:50002", parent_id=listener, opened_ns=3 * MS)
        run.call(thread, "accept", listener, at_ns=2 * MS, duration_ns=US, result=left)
        run.fold(thread, 10 * MS, 60 * MS, (left, "recv", 5_000, 15 * MS), (listener, "accept", 5_000, 15 * MS))
        run.call(other, "recv", right, at_ns=5 * MS, duration_ns=65 * MS, result=3, timeout_ns=-1)
        run.call(thread, "recv", left, at_ns=60 * MS, duration_ns=US, result=3)
        run.finish(80 * MS)

    async def act(screen: Screen) -> None:
        await screen.press("g")
        await screen.type("30ms")
        words = " ".join(screen.text.split())
        assert "again and again, each time at once and for nothing, 20.0 ms so far, a look every 5.00 µs" in words
        assert "has not come back" not in words
        assert re.search(r"recv\(fd 4 127\.0\.0\.1:50001\) +◀─▶ has nothing, each time", screen.text)
        assert re.search(r"accept\(fd 3 listener\) +◀─▶ has nothing, each time", screen.text)
        assert re.search(r"again and again for 20\.0 ms +│ +a look every 5\.00 µs", screen.text)
        # Another thread does stand still meanwhile.
        assert re.search(r"recv\(fd 5 127\.0\.0\.1:50002\) +──▶ waits for data", screen.text) and "for 25.0 ms" in screen.text
        await screen.press("end")
        assert re.search(r"10,000 × recv\(fd 4 127\.0\.0\.1:50001\), accept\(fd 3 listener\) for nothing", screen.text)

    perform(path, act, "folded", size=(170, 40))


def test_what_a_call_will_do_is_not_given_away_before(lecture_file: Path) -> None:
    async def act(screen: Screen) -> None:
        for _ in range(4):
            await screen.press("right")
        assert "EAGAIN" not in screen.text and "reset" not in screen.text and "eof" not in screen.text
        await screen.press("end")
        assert "reset" in screen.text

    perform(lecture_file, act, "blocking")


def test_a_spin_is_one_line_until_it_is_unfolded(lecture_file: Path) -> None:
    async def act(screen: Screen) -> None:
        await screen.press("right", "right", "right", "right")
        deck = screen.player.deck
        assert deck.reel.head.position == 603
        assert "600 × accept(fd 3 listener)" in screen.text
        await screen.press("enter")
        assert "600 × " not in screen.text
        await screen.press("left")
        assert deck.reel.head.position == 602
        await screen.press("f")
        await screen.press("f")
        assert "600 × accept" in screen.text
        await screen.press("shift+left")
        assert deck.reel.head.position == 601
        assert "(598 of 600 in a row)" in screen.text.replace("\n", " ")

    perform(lecture_file, act, "nonblocking")


def test_playing_goes_as_fast_as_told_and_stops_at_a_breakpoint_and_at_the_end(lecture_file: Path) -> None:
    now_s = [0.0]

    async def act(screen: Screen) -> None:
        deck, player = screen.player.deck, screen.player

        def pass_time(seconds: float) -> None:
            now_s[0] += seconds
            player.tick()

        await screen.press("space")
        pass_time(0.5)
        assert deck.reel.head.at_ns == 500 * MS
        await screen.press("minus")
        pass_time(0.5)
        assert deck.reel.head.at_ns == 750 * MS
        await screen.press("space")
        pass_time(0.5)
        assert deck.reel.head.at_ns == 750 * MS
        await screen.press("b")
        await screen.type("recv eof")
        await screen.press("plus", "space")
        pass_time(0.9)
        assert (deck.playing, deck.reel.head.at_ns) == (False, 1500 * MS)
        assert "stopped at recv eof" in screen.text
        await screen.press("B", "space")
        pass_time(1.0)
        assert (deck.playing, deck.reel.head.at_ns) == (False, 2000 * MS)
        await screen.press("space")
        assert deck.reel.head.at_ns == 0

    perform(lecture_file, act, "blocking", size=(140, 30), clock=lambda: now_s[0])


def test_time_goes_on_under_the_help(lecture_file: Path) -> None:
    now_s = [0.0]

    async def act(screen: Screen) -> None:
        await screen.press("space", "question_mark")
        now_s[0] += 0.5
        screen.player.tick()
        await screen.press("escape")
        assert "0.500000 s / 2.00 s" in screen.text

    perform(lecture_file, act, "blocking", clock=lambda: now_s[0])


def test_a_run_without_calls_can_be_walked_through(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    with Recording(path) as recording:
        run = recording.run("empty")
        run.thread()
        run.finish(5 * MS)

    async def act(screen: Screen) -> None:
        await screen.press("right", "left", "full_stop", "down", "up", "n", "p", "end", "home", "f", "enter", "c", "pagedown")
        assert "step 0 of 0" in screen.text
        await screen.press("g")
        await screen.type("2ms")
        assert "0.002000 s" in screen.text

    perform(path, act, "empty")


def test_a_million_times_slower_than_life_still_moves(lecture_file: Path) -> None:
    with reels(lecture_file, "nonblocking") as (reel,):
        deck = Deck([reel], speed=0, playing=True)
        for _ in range(20):
            deck.advance(0.05)
        assert reel.head.at_ns == 1000
        deck.faster(1000)
        assert SPEEDS[deck.speed] == 1000
        deck.skipping, deck.speed = True, 0
        deck.advance(0.05)
        assert reel.head.at_ns == 41 * MS - 1500


def test_breakpoints_are_gone_to_forwards_and_backwards(lecture_file: Path) -> None:
    async def act(screen: Screen) -> None:
        deck = screen.player.deck
        await screen.press("c")
        assert "no breakpoint is set" in screen.text
        await screen.press("b")
        await screen.type("server.py:18")
        await screen.press("c")
        first = deck.reel.head
        await screen.press("c", "C")
        assert deck.reel.head == first
        assert first.at_ns == 200 * MS
        await screen.press("b")
        await screen.type("nonsense")
        assert "nonsense means nothing here" in screen.text
        assert deck.breaks == ("server.py:18",)

    perform(lecture_file, act, "blocking")


@pytest.mark.parametrize(("text", "calls"), [
    ("recv", 6), ("eof", 2), ("fd=3", 6), ("ben", 4), ("listener", 6), (":22", 3), ("accept server.py:12", 4), ("127.0.0.1:50003", 2),
    ("recv reset", 1),
])
def test_a_breakpoint_wants_what_its_words_say(lecture_file: Path, text: str, calls: int) -> None:
    with reels(lecture_file, "blocking") as (reel,):
        wanted = read_break(text, reel.play.reader)
        line = reel.play.line
        assert sum(wanted.wants(line.signature(place)) for place in range(len(line))) == calls


@pytest.mark.parametrize("text", ["", " ", "nonsense", "fd=99", "server.py:9999", "recv nonsense", "\x1b[31m", ":", "1.5s"])
def test_a_breakpoint_that_means_nothing_is_refused(lecture_file: Path, text: str) -> None:
    with reels(lecture_file, "blocking") as (reel,), pytest.raises(Misread):
        read_break(text, reel.play.reader)


@pytest.mark.parametrize(("text", "at_ns", "position"), [
    ("1.5s", 1500 * MS, 8), ("200 ms", 200 * MS, 4), ("#4", 200 * MS, 4), ("4", 200 * MS, 4), ("50%", 1000 * MS, 5),
    ("999999", 2000 * MS, 18),
    ("9e9", None, None), ("-1", None, None), ("99999999999999999999s", 2000 * MS, 18),
])
def test_a_jump_goes_to_a_moment_or_behind_so_many_steps(lecture_file: Path, text: str, at_ns: int | None, position: int | None) -> None:
    with reels(lecture_file, "blocking") as (reel,):
        if at_ns is None:
            with pytest.raises(Misread):
                read_jump(text, reel.play.line)
        else:
            head = read_jump(text, reel.play.line)
            assert (head.at_ns, head.position) == (at_ns, position)


def test_two_runs_go_in_step_by_the_clock_by_the_exchange_or_alone(lecture_file: Path) -> None:
    with reels(lecture_file, "blocking", "nonblocking") as (one, two):
        deck = Deck([one, two])
        deck.go(one.play.line.at_time(300 * MS))
        assert two.head.at_ns == 309 * MS  # ada connected at 100 ms there, at 109 ms here
        deck.next_mode()
        deck.step_exchange(True)
        deck.step_exchange(True)
        assert deck.mode == "exchange"
        # What ended last where the keys are is ben asking in vain; there he was answered, so that is where the other stands.
        assert one.play.answered[one.play.answers.index(one.head.at_ns)] == two.play.answered[two.play.answers.index(two.head.at_ns)]
        deck.next_mode()
        before = two.head
        deck.to_end(True)
        assert two.head == before
        deck.active = 1
        deck.step(1)
        assert two.head.position == before.position + 1


@pytest.mark.parametrize("size", [(1, 1), (20, 6), (40, 12), (80, 24), (300, 90)])
@pytest.mark.parametrize("labels", [["blocking"], ["blocking", "nonblocking"]])
def test_no_size_of_the_screen_is_too_small_or_too_wide(lecture_file: Path, size: tuple[int, int], labels: list[str]) -> None:
    async def act(screen: Screen) -> None:
        await screen.press("n", "n", "right", "z", "question_mark", "escape")
        await screen.pilot.resize_terminal(size[1] + 3, size[0] // 3 + 1)
        await screen.press("left", "tab", "end", "home")
        assert screen.player.is_running

    perform(lecture_file, act, *labels, size=size)


def test_a_click_on_the_log_goes_there_and_the_wheel_steps(lecture_file: Path) -> None:
    async def act(screen: Screen) -> None:
        log = next(pane for pane in screen.player.query(".log"))
        await screen.pilot.click(log, offset=(5, 3))
        await screen.pilot.pause()
        assert screen.player.deck.reel.head.position == 3
        await screen.pilot._post_mouse_events([MouseScrollDown], log, offset=(5, 3), button=0)
        await screen.pilot.pause()
        assert screen.player.deck.reel.head.position == 4

    perform(lecture_file, act, "blocking")


def test_the_help_names_every_key_and_is_left_again(lecture_file: Path) -> None:
    async def act(screen: Screen) -> None:
        await screen.press("question_mark")
        assert isinstance(screen.player.screen, HelpScreen)
        await screen.press("escape")
        assert not isinstance(screen.player.screen, HelpScreen)

    perform(lecture_file, act, "blocking")
    for code in ("en", "zh"):
        rows = help_text(language(code), 72).plain.splitlines()
        assert len(KEYS) <= len(rows) <= 22  # what 24 lines have room for
        assert max(map(cell_len, rows)) <= 72


def test_hostile_payloads_sources_and_names_reach_the_screen_as_escapes(lecture_file: Path) -> None:
    async def act(screen: Screen) -> None:
        await screen.press("g")
        await screen.type("1.4s")
        assert "\\x1b[31mred" in screen.text
        assert "\x1b" not in screen.text

    perform(lecture_file, act, "blocking", size=(160, 40))


def test_without_a_terminal_it_says_what_to_do_instead(lecture_file: Path, sockreel: CommandLine) -> None:
    said = sockreel("play", str(lecture_file))
    assert said.status == 2
    assert "sockreel tell" in said.err
