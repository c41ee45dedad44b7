"""How pictures look in a terminal: width, colours, characters, and lines made of styled pieces.

Owns the glyphs of lanes and the last step from lines to text. Knows neither stories nor traces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.text import Text

from .language import wrapped

Piece = tuple[str, str]
"""A text without control characters, and its rich style ("" is none)."""


@dataclass(frozen=True)
class Look:
    """What the screen can show.

    Args:
        width: columns.
        colour: whether escape codes for colours may be written.
        ascii: whether only ASCII can be shown.
    """

    width: int = 100
    colour: bool = False
    ascii: bool = False

    @property
    def glyphs(self) -> Glyphs:
        """The characters of lanes."""
        return _ASCII if self.ascii else _UNICODE


@dataclass(frozen=True)
class Glyphs:
    """One character per state of a lane, all different, so that colour only helps."""

    blocked: str
    partly_blocked: str
    polling: tuple[str, str, str, str]
    moved: str
    other: str
    idle: str
    opens: str
    closes: str
    opens_and_closes: str
    ends: str
    fails: str
    unfinished: str
    upright: str
    waits: str
    answered: str
    unanswered: str
    axis: tuple[str, str, str]
    ellipsis: str
    filled: tuple[str, str, str, str, str, str, str, str]


_UNICODE = Glyphs("━", "╍", ("·", "░", "▒", "▓"), "●", "▪", "─", "├", "┤", "┼", "○", "✗", "▶", "┃", "≈", "✓", "!", ("├", "┬", "─"), "…",
                  ("▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"))
_ASCII = Glyphs("#", "=", (".", ":", "%", "@"), "o", "'", "-", "[", "]", "I", "e", "X", ">", "|", "~", "+", "!", ("|", "+", "-"), "...",
                ("1", "2", "3", "4", "5", "6", "7", "8"))

STYLES = {
    "blocked": "red", "fruitless": "yellow", "moved": "bold green", "other": "blue", "idle": "dim", "opens": "cyan", "closes": "cyan",
    "ends": "cyan", "fails": "bold red", "unfinished": "bold magenta", "waits": "magenta", "answered": "bold green",
    "unanswered": "bold red", "filled": "cyan", "title": "bold", "quiet": "dim", "": "",
}


def styled(state: str) -> str:
    """Return the style of a state; unknown ones have none."""
    return STYLES.get(state, "")


class Page:
    """Lines being put together; `text()` is what goes to the screen."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._items: list[RenderableType] = []

    def line(self, *pieces: Piece | str) -> None:
        """Add one line, cut at the edge of the screen."""
        self._items.append(self._cut(pieces))

    def wrapped(self, text: str, indent: int = 0, state: str = "", first: int = 0) -> None:
        """Add a text over as many lines as it takes, words kept whole; the first line is indented by `first`."""
        limit = max(20, self.look.width)
        if cell_len(text) > len(text):  # wide characters: Chinese has no blanks to break at
            for number, line in enumerate(wrapped(text, limit - max(indent, first))):
                self.line((" " * (indent if number else first), ""), (line, styled(state)))
            return
        lines: list[str] = []
        current = ""
        for word in _cut_words(text.split(" "), limit - indent):
            if current and cell_len(current) + 1 + cell_len(word) > limit - (indent if lines else first):
                lines.append(current)
                current = word
            else:
                current = f"{current} {word}" if current else word
        for number, line in enumerate([*lines, current]):
            self.line((" " * (indent if number else first), ""), (line, styled(state)))

    def add(self, item: RenderableType) -> None:
        """Add a table or another thing that rich draws."""
        self._items.append(item)

    def text(self) -> str:
        """Return everything as text, with escape codes only where the look has colours."""
        target = StringIO()
        console = Console(
            file=target, width=self.look.width, force_terminal=self.look.colour, color_system="standard" if self.look.colour else None,
            no_color=not self.look.colour, highlight=False, markup=False, emoji=False, legacy_windows=False, _environ={})
        for item in self._items:
            console.print(item, overflow="ignore", no_wrap=True, crop=True)
        lines = (line.rstrip() if not self.look.colour else line for line in target.getvalue().split("\n"))
        text = "\n".join(lines)
        return plain(text) if self.look.ascii else text

    def _cut(self, pieces: Iterable[Piece | str]) -> Text:
        text = Text(no_wrap=True, overflow="ignore", end="")
        for piece in pieces:
            content, style = (piece, "") if isinstance(piece, str) else piece
            text.append(plain(content) if self.look.ascii else content, style)
        text.truncate(self.look.width, overflow="crop")
        return text


def _cut_words(words: Iterable[str], most: int) -> Iterator[str]:
    """Yield words, those wider than a line in parts."""
    for word in words:
        while cell_len(word) > most:
            part = set_cell_size(word, most).rstrip()
            yield part
            word = word[len(part):]
        yield word


def plain(text: str) -> str:
    """Return a text in ASCII: our own signs in other words, everything else as escapes."""
    for sign, other in (("µs", "us"), ("…", "..."), ("·", "-"), ("→", "->"), ("×", "x"), ("–", "-"), ("“", '"'), ("”", '"')):
        text = text.replace(sign, other)
    return text.encode("ascii", "backslashreplace").decode("ascii")
