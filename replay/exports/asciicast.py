"""A run played in slow motion, as an asciicast: the player's own screens, for asciinema and the pages that embed it.

Owns how fast time goes, how long it may take, and the file: asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/), which
every version of asciinema and its web player reads. The screens are those of the player.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import BinaryIO

from ...errors import SockreelError
from ...traces.excerpt import Excerpt
from ..language import language
from ..player.deck import SPEEDS, Deck, Reel
from ..player.filming import Screen, film
from ..player.state import Play
from ..player.timeline import Playhead
from ..reading import Reader
from ..words import brief, visible

WIDTH, HEIGHT = 100, 30
FRAMES_A_SECOND = 6
MOST_FRAMES = 30 * FRAMES_A_SECOND
_HOLD_S = 1.5  # the first screen, and the last one, stand this long
_MOST_MARKERS = 100


def write_asciicast(excerpts: Sequence[Excerpt], out: BinaryIO, width: int = WIDTH, height: int = HEIGHT) -> None:
    """Write a run, or two in step, as the player shows them while time goes on.

    Time goes as slowly as lets it end within MOST_FRAMES; where nothing begins or ends it is not waited for long.

    Args:
        excerpts: one or two runs, or windows of them; the first one's window counts.
        out: an open binary file.
        width, height: of the terminal, in cells.

    Raises:
        SockreelError: more than two runs.
        TraceError: a trace is damaged.
    """
    if len(excerpts) > 2:
        raise SockreelError(f"an asciicast holds one run or two; {len(excerpts)} were named")
    spoken = language("en")
    reels = [Reel(Play(Reader(one.trace, one.run), spoken, one.payload), visible(one.run.name)) for one in excerpts]
    deck, stop = _deck(reels, excerpts[0])
    moments = [deck.reel.head.at_ns]

    def onwards(deck: Deck) -> bool:
        more = _onwards(deck, stop) and len(moments) < MOST_FRAMES
        if not more:
            deck.go(stop)
            deck.playing = False
        moments.append(deck.reel.head.at_ns)
        return more

    screens = film(deck, spoken, width, height, onwards)
    title = " and ".join(brief(one.run.name) for one in excerpts)
    header = {"version": 2, "width": width, "height": height, "title": f"sockreel play {title}", "env": {"TERM": "xterm-256color"}}
    for line in (header, *_events(screens, _markers(reels, moments))):
        out.write(json.dumps(line, ensure_ascii=False, separators=(", ", ": ")).encode("utf-8", "replace") + b"\n")


def _deck(reels: Sequence[Reel], excerpt: Excerpt) -> tuple[Deck, Playhead]:
    """Return the runs where the excerpt begins, and where it ends; the slowest pace that gets there in time is set."""
    deck = Deck(reels, skipping=True, playing=True)
    if len(reels) > 1:
        lengths = [reel.play.line.end_ns - reel.origin_ns for reel in reels]
        deck.active = lengths.index(max(lengths))
    line = deck.reel.play.line
    whole = excerpt.end_ns >= line.end_ns
    stop = line.at_call(len(line)) if whole else line.at_time(excerpt.end_ns)
    start = line.at_time(excerpt.start_ns) if excerpt.start_ns else Playhead(0, 0)
    for speed in range(len(SPEEDS)):
        deck.speed, deck.playing = speed, True
        deck.go(start)
        if any(not _onwards(deck, stop) for _ in range(MOST_FRAMES - 1)):
            break
    deck.playing = True
    deck.go(start)
    return deck, stop


def _onwards(deck: Deck, stop: Playhead) -> bool:
    """Let time go on by a frame; False where the end was reached."""
    deck.advance(1 / FRAMES_A_SECOND)
    return deck.playing and deck.reel.head.at_ns < stop.at_ns


def _markers(reels: Sequence[Reel], moments: Sequence[int]) -> list[tuple[int, str]]:
    """Return the answers that clients got, each with the frame in which it is first seen."""
    found = []
    for exchange in sorted(reels[0].play.exchanges, key=lambda one: one.answered_ns or 0):
        if exchange.answered_ns is not None and moments[0] < exchange.answered_ns <= moments[-1]:
            frame = next(n for n, at_ns in enumerate(moments) if at_ns >= exchange.answered_ns)
            found.append((frame, f"{brief(exchange.client)}: answer {exchange.n}"))
    return found[:_MOST_MARKERS] if len(reels) == 1 else []


def _events(screens: Sequence[Screen], markers: Sequence[tuple[int, str]]) -> Iterator[list[float | str]]:
    """Yield the events of an asciicast: of each screen the lines that are not as before."""
    yield [0.0, "o", "\x1b[?25l\x1b[2J" + "".join(_line(number, line) for number, line in enumerate(screens[0]))]
    frames = [frame for frame, _ in markers]
    told = at_s = 0.0
    for number, (before, after) in enumerate(pairwise(screens), 1):
        at_s = round(_HOLD_S + number / FRAMES_A_SECOND, 3)
        changed = "".join(_line(row, line) for row, (old, line) in enumerate(zip(before, after, strict=True)) if old != line)
        if changed:
            told = at_s
            yield [at_s, "o", changed]
        for _, words in markers[bisect_right(frames, number - 1) : bisect_right(frames, number)]:
            yield [at_s, "m", words]
    # A last event that changes nothing keeps the last screen up.
    yield [round(max(at_s, told) + _HOLD_S, 3), "o", "\x1b[0m\x1b[?25h"]


def _line(number: int, line: str) -> str:
    # Erased first: behind a line that fills its row the cursor still stands on the last cell.
    return f"\x1b[{number + 1};1H\x1b[0m\x1b[2K{line}"
