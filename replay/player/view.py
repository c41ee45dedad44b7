"""What every pane of the player draws: one run at its moment, and the ways in which all of them draw it.

Owns the view, a pane's title and its cut to the room there is. Knows no textual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from ..language import Language
from ..reading import Fold
from ..values import Span
from ..words import fit
from .deck import Deck, Reel
from .state import State

QUIET, STRONG, HERE = "dim", "bold", "reverse"
STYLES = {"blocked": "red", "fruitless": "yellow", "moved": "green", "other": "", "fails": "bold red"}




@dataclass(frozen=True)
class View:
    """What is drawn: one run at its moment, in a language."""

    reel: Reel
    state: State
    language: Language
    current: int | None
    deck: Deck

    @property
    def span(self) -> Span | None:
        """The step that is told."""
        return None if self.current is None else self.reel.play.span(self.current)

    @property
    def running(self) -> bool:
        """Whether that step has begun and not ended."""
        return self.current is not None and self.current >= self.state.head.position

    def turns(self) -> tuple[Fold, ...]:
        """Return, where that step is in progress and stands for calls that were only counted, all whose turn it was again and again."""
        if self.current is None or not self.running:
            return ()
        return self.folds(next(group for group in self.state.under_way() if self.current in group))

    def folds(self, group: Sequence[int]) -> tuple[Fold, ...]:
        """Return what the steps of a group of `State.under_way` count; nothing where it is a call."""
        found = map(self.reel.play.fold, group)
        return tuple(fold for fold in found if fold is not None)


def each_ns(folds: Sequence[Fold]) -> int:
    """Return how often calls came that were only counted: one in so many nanoseconds, in the mean."""
    length_ns = max(fold.last_ns for fold in folds) - min(fold.first_ns for fold in folds)
    return length_ns // sum(fold.calls for fold in folds)


def view_of(deck: Deck, reel: Reel, language: Language) -> View:
    """Return a view of a reel as it now stands."""
    return View(reel, reel.state, language, reel.current(), deck)


def joined(lines: Sequence[Text], width: int, height: int) -> Text:
    """Return lines as one text, cut to the room there is."""
    shown = []
    for line in lines[:height]:
        line.truncate(width, overflow="ellipsis")
        shown.append(line)
    return Text("\n", no_wrap=True, overflow="crop").join(shown)


def title(words: str, width: int, more: str = "") -> Text:
    """Return the line above a pane."""
    text = fit(f"─ {words} {more + ' ' if more else ''}", min(width, cell_len(words) + cell_len(more) + 4 if more else cell_len(words) + 3))
    return Text(text + "─" * max(0, width - cell_len(text)), QUIET)
