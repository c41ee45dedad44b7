"""What every key of the player does.

Owns the page that `?` shows.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ..language import Language, wrapped
from ..telling import message
from ..words import fit

KEYS = (
    ("→ ←, l h", message("a line of the log on, back; a folded spin is one line")),
    ("shift+→ ←, L H", message("one single call on, one back")),
    (".", message("to where the next call begins or ends: inside a call")),
    ("↓ ↑, j k", message("the next call that came to something, the one before")),
    ("n p", message("the end of the next exchange, of the one before")),
    ("PgDn PgUp", message("ten lines on, ten back")),
    ("Home End", message("the beginning, the end")),
    ("space", message("let time go, hold it")),
    ("+ -", message("faster, slower: from 1/1,000,000 of life to 1,000 times")),
    ("s", message("skip time in which nothing begins or ends, or do not")),
    ("f, enter", message("fold or unfold all spins, only this one")),
    ("g", message("jump: 1.5s, 200ms, a step like 1234, or 50%")),
    ("b B", message("set a breakpoint, forget all: recv, would_block, fd=4, listener, a client, server.py:18; all words must fit")),
    ("c C", message("on to the next breakpoint, back to the one before")),
    ("tab m", message("two runs: move the other; in step by clock, by exchange, or each alone")),
    ("z", message("English, Chinese")),
    ("click, wheel", message("a line of the log: go there; of the source: stop there, or no longer (●); the wheel steps")),
    ("? q, ctrl+z", message("this page; leave, for a while: fg comes back")),
)


class HelpScreen(ModalScreen[None]):
    """The keys, over the player."""

    AUTO_FOCUS = "VerticalScroll"

    CSS = """
    HelpScreen { align: center middle; }
    #help { width: 78; max-width: 100%; height: auto; max-height: 100%; border: round $primary; background: $surface; padding: 0 1; }
    #text { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1,escape,q,space,enter", "dismiss", show=False)]

    def __init__(self, spoken: Language) -> None:
        super().__init__()
        self.spoken = spoken

    def compose(self) -> ComposeResult:
        """Put the page in the middle."""
        with VerticalScroll(id="help"):
            yield Static(help_text(self.spoken, 72), id="text")


def help_text(spoken: Language, width: int) -> Text:
    """Return the page: keys on the left, what they do on the right."""
    column = max(cell_len(keys) for keys, _ in KEYS) + 2
    lines = []
    for keys, meaning in KEYS:
        for number, row in enumerate(wrapped(spoken.say(meaning), width - column)):
            lines.append(Text.assemble((fit(keys if not number else "", column), "bold"), row))
    return Text("\n").join(lines)
