"""An asciicast is the player's own screens, one after the other: played in a terminal it ends where the player does."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text
from sockreel.errors import SockreelError
from sockreel.replay.exports.asciicast import FRAMES_A_SECOND, HEIGHT, MOST_FRAMES, WIDTH, write_asciicast
from sockreel.replay.language import language
from sockreel.replay.player.deck import Deck, Reel
from sockreel.replay.player.filming import film
from sockreel.replay.player.state import Play
from sockreel.replay.reading import Reader
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, Recording, S
from sockreel.traces import open_trace
from sockreel.traces.excerpt import END_OF_TIME_NS, Excerpt

pyte = pytest.importorskip("pyte", reason="needs pyte")
LONGEST_S = MOST_FRAMES / FRAMES_A_SECOND + 5


def cast(path: Path, *names: str, start_ns: int = 0, end_ns: int = END_OF_TIME_NS, payload: bool = True, **size: int) -> bytes:
    out = io.BytesIO()
    with open_trace(path) as trace:
        write_asciicast([Excerpt(trace, trace.find_run(name), start_ns, end_ns, payload) for name in names], out, **size)
    return out.getvalue()


def read(data: bytes) -> tuple[dict[str, Any], list[tuple[float, str, str]]]:
    header, *events = (json.loads(line) for line in data.decode("utf-8").splitlines())
    return header, [(float(at_s), kind, text) for at_s, kind, text in events]


def played(data: bytes, until_s: float = 1e9) -> list[str]:
    """Return what stands on a terminal after an asciicast was played."""
    header, events = read(data)
    screen = pyte.Screen(header["width"], header["height"])
    stream = pyte.Stream(screen)
    for at_s, kind, text in events:
        if kind == "o" and at_s <= until_s:
            stream.feed(text)
    return [line.rstrip() for line in screen.display]


@pytest.fixture(scope="module")
def blocking(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The blocking lecture."""
    from sockreel.tests.test_replay.scenes import lecture

    return cast(lecture(tmp_path_factory.mktemp("cast") / "lecture.db"), "blocking")


def test_it_ends_with_the_screen_that_the_player_ends_with(blocking: bytes, lecture_file: Path) -> None:
    with open_trace(lecture_file) as trace:
        reel = Reel(Play(Reader(trace, trace.find_run("blocking")), language("en"), True), "blocking")
        header, events = read(blocking)
        deck = Deck([reel], skipping=True)
        deck.to_end(True)
        # The pace stands in the screen, too.
        pace = next(line for line in played(blocking) if line.startswith("■"))
        while f" {_pace(deck)} " not in pace:
            deck.faster(-1)
        wanted = film(deck, language("en"), WIDTH, HEIGHT, lambda _: False)[-1]
    assert played(blocking) == [Text.from_ansi(line).plain.rstrip() for line in wanted]
    assert (header["version"], header["width"], header["height"], header["title"]) == (2, WIDTH, HEIGHT, "sockreel play blocking")
    assert any("step 18 of 18" in line for line in played(blocking))
    assert len(events) > 20


def _pace(deck: Deck) -> str:
    from sockreel.replay.player.deck import SPEEDS

    speed = SPEEDS[deck.speed]
    return f"{speed:g}×" if speed >= 1 else f"1/{1 / speed:,.0f}×"


def test_times_go_forwards_within_bounds_and_every_kind_is_of_the_format(blocking: bytes) -> None:
    _, events = read(blocking)
    times = [at_s for at_s, _, _ in events]
    assert times == sorted(times)
    assert times[0] == 0
    assert 10 < times[-1] < LONGEST_S
    assert {kind for _, kind, _ in events} == {"o", "m"}
    assert [text for _, kind, text in events if kind == "m"] == ["ada: answer 1", "ada: answer 2", "ben: answer 1"]


def test_the_screen_at_a_marker_shows_the_answer(blocking: bytes) -> None:
    _, events = read(blocking)
    for at_s, kind, text in events:
        if kind == "m":
            client, _, number = text.partition(": answer ")
            assert any(line.lstrip().find(f"{client}: {number}/") >= 0 for line in played(blocking, at_s)), (text, played(blocking, at_s))


def test_the_same_run_gives_the_same_bytes(blocking: bytes, lecture_file: Path) -> None:
    assert cast(lecture_file, "blocking") == blocking


def test_a_window_is_played_slower_and_in_a_terminal_of_any_size(lecture_file: Path) -> None:
    data = cast(lecture_file, "nonblocking", start_ns=209 * MS, end_ns=212 * MS, width=140, height=40)
    first, last = played(data, 0), played(data)
    assert (len(last), max(map(len, last))) == (40, 140)
    assert "0.209000 s" in first[0]
    assert "0.212000 s" in last[0]
    assert not any("5,950 ×" in line for line in last)
    assert read(data)[1][-1][0] < LONGEST_S


def test_two_runs_are_played_in_step(lecture_file: Path) -> None:
    data = cast(lecture_file, "blocking", "nonblocking")
    text = "\n".join(played(data))
    assert "blocking" in text and "nonblocking" in text and "in step by the clock" in text
    assert read(data)[0]["title"] == "sockreel play blocking and nonblocking"


def test_what_was_said_can_be_left_out(lecture_file: Path) -> None:
    assert b"hello" in cast(lecture_file, "blocking")
    assert b"hello" not in cast(lecture_file, "blocking", payload=False)


def test_a_run_without_calls_is_one_screen_and_ends(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        recording.run("empty").finish(S)
    header, events = read(cast(tmp_path / "t.db", "empty"))
    assert header["width"] == WIDTH
    assert events[-1][0] < 10


def test_a_run_of_a_day_ends_in_time(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("long")
        thread, socket = run.thread(), run.socket(4)
        for hour in range(24):
            run.call(thread, "recv", socket, at_ns=hour * 3600 * S, duration_ns=3000 * S, result=5)
        run.finish(86_400 * S)
    data = cast(tmp_path / "t.db", "long")
    assert read(data)[1][-1][0] < LONGEST_S
    assert any("step 24 of 24" in line for line in played(data))


def test_three_runs_are_one_too_many(lecture_file: Path) -> None:
    with pytest.raises(SockreelError, match="one run or two"):
        cast(lecture_file, "blocking", "nonblocking", "blocking")


def test_the_command_takes_a_size_for_what_has_one(lecture_file: Path, tmp_path: Path, sockreel: CommandLine) -> None:
    target = tmp_path / "b.cast"
    size = ("--width", "90", "--height", "24")
    assert sockreel("export", f"{lecture_file}#blocking", "-o", target, *size, "--from", "1.5s", "--to", "1.51s").status == 0
    assert (read(target.read_bytes())[0]["width"], read(target.read_bytes())[0]["height"]) == (90, 24)
    refused = sockreel("export", f"{lecture_file}#blocking", "--format", "csv", "-o", "-", "--width", "90")
    assert refused.status == 2 and "--width is for asciicast" in refused.err
