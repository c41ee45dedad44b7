"""Draw the pictures of the README and of docs/ anew, each by one command from the samples that come with sockreel.

    python tools/pictures.py            # all
    python tools/pictures.py --check    # say which are not as they would be drawn
    python tools/pictures.py --list     # say which command draws which

Owns which picture is made by which command. The same samples give the same pictures, to the byte.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from sockreel.recorder.models import SERVERS
from sockreel.replay.language import language
from sockreel.replay.player.deck import Deck, Reel
from sockreel.replay.player.filming import film
from sockreel.replay.player.state import Play
from sockreel.replay.reading import Reader
from sockreel.tools.picture import drawn, picture
from sockreel.traces import open_trace
from sockreel.traces.references import sample_path

DOCS = Path(__file__).resolve().parent.parent / "docs"
# UNP's figures 6.1 to 6.5, in the order of the book, by the sample that shows each.
FIGURES = {"blocking": "blocking", "nonblocking": "nonblocking", "multiplexing": "select", "signal-driven": "signal_driven",
           "asynchronous": "io_uring"}
MORE_FIGURES = {"sleep": "nonblocking_sleep", "asyncio": "asyncio_streams", "epoll": "epoll_edge"}
TIMELINES = {
    "models": ("blocking", "nonblocking", "epoll_level"),
    "lesson/threads": ("blocking", "blocking_threads"),
    "lesson/polling": ("nonblocking", "nonblocking_sleep"),
    "lesson/tutorial": ("tutorial",),
    "lesson/one-wait": ("select", "epoll_level", "epoll_edge"),
    "lesson/asyncio": ("asyncio_streams",),
    "lesson/without-waiting": ("signal_driven", "io_uring"),
    "lesson/reset": ("select-reset",),
}


def commands() -> dict[str, list[str]]:
    """Return every picture, named without its ending, with the arguments of sockreel that draw it on stdout."""
    found = {name: ["export", *(f"sample:{sample}" for sample in samples), "--format", "svg", "--no-payload", "--lang", "en",
                    "-o", "-"]
             for name, samples in TIMELINES.items()}
    for ending, code in (("", "en"), ("-zh", "zh")):
        for name, sample in FIGURES.items():
            found[f"figure-{name}{ending}"] = ["figure", f"sample:{sample}", "--lang", code, "--svg", "-"]
        for name, sample in MORE_FIGURES.items():
            found[f"lesson/figure-{name}{ending}"] = ["figure", f"sample:{sample}", "--lang", code, "--svg", "-"]
    return found


def terminal_commands() -> dict[str, list[str]]:
    """Return every picture of a terminal of 100 columns, with the arguments of sockreel that print it."""
    return {"lab": ["compare", *(f"sample:{name}" for name in SERVERS)],
            "lesson/explain-tutorial": ["explain", "sample:tutorial"],
            "lesson/phases": ["compare", *(f"sample:{sample}" for sample in FIGURES.values())]}


# Two runs in the player, while the first one's client is silent: the samples, and the moment of the first (ns).
PLAYER, PLAYER_AT_NS = ("blocking", "nonblocking"), 1_500_000_000
_COLUMNS, _LINES = 112, 33


def player_commands() -> dict[str, list[str]]:
    """Return every picture of the player, with the arguments of sockreel that show it; then g, and the moment."""
    return {"play": ["play", *(f"sample:{name}" for name in PLAYER)]}


def draw_player() -> str:
    """Return the player's screen as SVG; no terminal is needed."""
    with ExitStack() as stack:
        spoken, reels = language("en"), []
        for name in PLAYER:
            trace = stack.enter_context(open_trace(sample_path(name)))
            run = trace.find_run()
            reels.append(Reel(Play(Reader(trace, run), spoken), run.name))
        deck = Deck(reels)
        deck.go(reels[0].play.line.at_time(PLAYER_AT_NS))
        screens = film(deck, spoken, _COLUMNS, _LINES, lambda _: False)
        return drawn("\n".join(screens[-1]), _COLUMNS)


def draw(name: str) -> str:
    """Return a picture as SVG."""
    if name in player_commands():
        return draw_player()
    sockreel = [sys.executable, "-m", "sockreel"]
    if name in terminal_commands():
        return picture([*sockreel, *terminal_commands()[name]], 100)
    return subprocess.run([*sockreel, *commands()[name]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode()


def main(arguments: list[str]) -> int:
    """Draw all pictures, or look at those that are there."""
    every = {**commands(), **terminal_commands(), **player_commands()}
    stale = []
    for name, words in every.items():
        path = DOCS / f"{name}.svg"
        if "--list" in arguments:
            print(f"docs/{name}.svg", shlex.join(["sockreel", *words]))
            continue
        drawn = draw(name)
        if not path.is_file() or path.read_text(encoding="utf-8") != drawn:
            stale.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(drawn, encoding="utf-8")
    for name in stale:
        print(f"docs/{name}.svg is {'not as it would be drawn now: make pictures' if '--check' in arguments else 'new'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
