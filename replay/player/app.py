"""The player's screen: panes around one or two runs, keys, mouse, the clock that lets time go on.

Owns the widgets and which key does what. Everything that moves is the deck's, everything drawn is of `panes` and `stage`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from ...errors import SockreelError
from ..language import LANGUAGES, Language, language
from ..words import visible
from . import panes, stage
from .breaks import Misread, read_jump
from .deck import SPEEDS, Deck, Reel
from .help import HelpScreen
from .view import View, view_of

TICKS_A_SECOND = 20
Painter = Callable[[View, int, int], Text]
Move = Callable[[Deck], object]

MOVES: dict[str, tuple[str, Move]] = {
    "right": ("l", lambda deck: deck.step_row(1)), "left": ("h", lambda deck: deck.step_row(-1)),
    "full_stop": (".", lambda deck: deck.step_half()),
    "shift+right": ("L", lambda deck: deck.step(1)), "shift+left": ("H", lambda deck: deck.step(-1)),
    "down": ("j", lambda deck: deck.step_fruitful(True)), "up": ("k", lambda deck: deck.step_fruitful(False)),
    "n": ("", lambda deck: deck.step_exchange(True)), "p": ("", lambda deck: deck.step_exchange(False)),
    "pagedown": ("", lambda deck: deck.step_row(10)), "pageup": ("", lambda deck: deck.step_row(-10)),
    "home": ("", lambda deck: deck.to_end(False)), "end": ("", lambda deck: deck.to_end(True)),
    "plus": ("=", lambda deck: deck.faster(1)), "minus": ("", lambda deck: deck.faster(-1)),
    "f": ("", lambda deck: deck.turn_all()), "enter": ("", lambda deck: deck.turn_spin()),
    "m": ("", lambda deck: deck.next_mode()),
}
"""Key -> another one for it, and what it does to the deck."""


class Pane(Widget):
    """A part of the screen that a painter fills."""

    def __init__(self, number: int, painter: Painter, name: str) -> None:
        super().__init__(classes=name, name=name)
        self.number = number
        self.painter = painter

    def render(self) -> Text:
        """Draw it as the run now stands."""
        app = self.app
        assert isinstance(app, Player)
        try:
            return self.painter(app.view(self.number), self.size.width, self.size.height)
        except SockreelError as error:  # rows are read when they are looked at: the trace may be damaged there
            app.fail(error)
            return Text()

    def on_click(self, event: events.Click) -> None:
        """Take a click: on a line of the log go there, on one of the source stop there."""
        app = self.app
        assert isinstance(app, Player)
        app.clicked(self.number, self.name or "", event.y)

    def on_mouse_scroll_down(self) -> None:
        """Go on by a line of the log."""
        self._scroll(1)

    def on_mouse_scroll_up(self) -> None:
        """Go back by one."""
        self._scroll(-1)

    def _scroll(self, rows: int) -> None:
        app = self.app
        assert isinstance(app, Player)
        app.deck.active = self.number
        app.deck.step_row(rows)
        app.redraw()


class Player(App[None]):
    """The player.

    Args:
        deck: one or two runs.
        spoken: the language it speaks.
        clock: seconds that never go back; tests give their own.
    """

    TITLE = "sockreel"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    CSS = """
    Screen { layout: vertical; }
    #runs { height: 1fr; }
    .run { width: 1fr; }
    .beside { border-left: solid $panel; }
    .line { height: 1; }
    .upper { height: 2fr; }
    .lower { height: 3fr; }
    .source, .stage, .log, .sockets, .clients { width: 1fr; height: 1fr; }
    .column { width: 1fr; padding-left: 1; }
    .upper .stage { padding-left: 1; }
    .sentence { height: 3; }
    .several .sentence { height: 4; }
    #status, #keys { height: 1; }
    #prompt { display: none; height: 1; border: none; padding: 0; }
    #prompt.shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"{key},{other}" if other else key, f"move('{key}')", show=False)
          for key, (other, _) in MOVES.items()),
        Binding("space", "play", show=False), Binding("s", "skip", show=False), Binding("g", "ask('jump')", show=False),
        Binding("b", "ask('break')", show=False), Binding("B", "clear", show=False), Binding("c", "go_on(True)", show=False),
        Binding("C", "go_on(False)", show=False), Binding("tab", "other", show=False, priority=True), Binding("z", "speak", show=False),
        Binding("question_mark,f1", "help", show=False), Binding("escape", "leave", show=False), Binding("q,ctrl+c", "quit", show=False),
        Binding("ctrl+z", "suspend_process", show=False),
    ]

    def __init__(self, deck: Deck, spoken: Language, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.deck = deck
        self.spoken = spoken
        self.clock = clock
        self.note = ""
        self.failed: SockreelError | None = None
        self._asking = ""
        self._last_s = clock()
        self._views: dict[int, View] = {}

    def compose(self) -> ComposeResult:
        """Lay out the panes: beside each other where there is one run, one above the other where there are two."""
        several = len(self.deck.reels) > 1
        with Horizontal(id="runs"):
            for number in range(len(self.deck.reels)):
                with Vertical(classes=f"run{' several' if several else ''}{' beside' if number else ''}"):
                    yield from self._run(number, several)
        yield Static(id="status", markup=False)
        yield Input(id="prompt")
        yield Static(id="keys", markup=False)

    def _run(self, number: int, several: bool) -> ComposeResult:
        def pane(name: str, painter: Painter) -> Pane:
            return Pane(number, painter, name)

        yield pane("line", lambda view, width, _: panes.run_line(view, width, several))
        if several:
            for name, painter in (("stage", stage.stage_pane), ("source", panes.source_pane), ("log", panes.log_pane)):
                yield pane(name, painter)
            yield pane("sentence", panes.sentence_pane)
            yield pane("line", lambda view, width, _: Text(panes.one_line(panes.counters(view), width)))
            return
        with Horizontal(classes="upper"):
            yield pane("source", panes.source_pane)
            yield pane("stage", stage.stage_pane)
        yield pane("sentence", panes.sentence_pane)
        with Horizontal(classes="lower"):
            yield pane("log", panes.log_pane)
            with Vertical(classes="column"):
                yield pane("sockets", panes.sockets_pane)
                yield pane("clients", panes.clients_pane)

    def on_mount(self) -> None:
        """Start the clock."""
        self.set_interval(1 / TICKS_A_SECOND, self.tick)
        # Back from Ctrl-Z the screen is empty.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        self.redraw()

    def fail(self, error: SockreelError) -> None:
        """Leave, since the run cannot be shown any further."""
        self.failed = self.failed or error
        self.exit(return_code=1)

    def view(self, number: int) -> View:
        """Return how a run stands, reckoned once for all panes."""
        if number not in self._views:
            self._views[number] = view_of(self.deck, self.deck.reels[number], self.spoken)
        return self._views[number]

    def redraw(self) -> None:
        """Draw everything anew."""
        self._views.clear()
        if not self.screen_stack:
            return
        # Under the help, too; and while the screen is being put up or taken down nothing is there to draw on.
        base = self.screen_stack[0]
        for pane in base.query(Pane):
            pane.refresh()
        keys = self.spoken.say("←→ step  . half  ↑↓ fruitful  n p exchange  space play  + -  g jump  b break  ?")
        for line in base.query("#status, #keys").results(Static):
            line.update(Text(keys, "dim") if line.id == "keys" else Text(self._status(), "bold"))

    def _status(self) -> str:
        say, deck = self.spoken.say, self.deck
        speed = SPEEDS[deck.speed]
        pace = f"{speed:g}×" if speed >= 1 else f"1/{1 / speed:,.0f}×"
        parts = [f"{'▶' if deck.playing else '■'} {pace}"]
        if deck.skipping:
            parts.append(say("skips quiet time"))
        if len(deck.reels) > 1:
            modes = {"clock": say("in step by the clock"), "exchange": say("in step by the exchange"), "alone": say("each alone")}
            parts.append(modes[deck.mode])
        if deck.breaks:
            parts.append(say("stops at {what}", what=visible(", ".join(deck.breaks))))
        if self.note:
            parts.append(self.note)
        elif len(deck.reels) == 1:
            parts += panes.counters(self.view(0))
        return panes.one_line(parts, self.size.width)

    def tick(self) -> None:
        """Let time go on by what the clock says."""
        now_s = self.clock()
        passed_s, self._last_s = now_s - self._last_s, now_s
        if not self.deck.playing:
            return
        self.deck.advance(min(passed_s, 1.0))
        if not self.deck.playing and self.deck.stopped_by is not None:
            self._stopped()
        self.redraw()

    def _stopped(self) -> None:
        self.note = self.spoken.say("stopped at {what}", what=visible(self.deck.stopped_by or ""))
        self.deck.stopped_by = None

    def action_move(self, key: str) -> None:
        """Do to the deck what a key stands for."""
        if self._asking:
            return
        self.note = ""
        MOVES[key][1](self.deck)
        self.redraw()

    def action_play(self) -> None:
        """Let time go, or hold it; at the end begin anew."""
        deck = self.deck
        if not deck.playing and deck.reel.head.position >= len(deck.reel.play.line):
            deck.to_end(False)
        deck.playing = not deck.playing
        self._last_s = self.clock()
        self.note = ""
        self.redraw()

    def action_skip(self) -> None:
        """Skip time in which nothing begins or ends, or do not."""
        self.deck.skipping = not self.deck.skipping
        self.redraw()

    def action_other(self) -> None:
        """Let the keys move the other run."""
        self.deck.active = (self.deck.active + 1) % len(self.deck.reels)
        self.redraw()

    def action_speak(self) -> None:
        """Go on in the next language."""
        self.spoken = language(LANGUAGES[(LANGUAGES.index(self.spoken.code) + 1) % len(LANGUAGES)])
        for reel in self.deck.reels:
            reel.play.speak(self.spoken)
        self.redraw()

    def action_go_on(self, forwards: bool) -> None:
        """Go to the next breakpoint, or to the one before."""
        say = self.spoken.say
        if not self.deck.breaks:
            self.note = say("no breakpoint is set: b sets one")
        elif self.deck.run_to_break(forwards):
            self._stopped()
        else:
            self.note = say("no further step is one to stop at")
        self.redraw()

    def action_clear(self) -> None:
        """Forget all breakpoints."""
        self.deck.clear_breaks()
        self.redraw()

    def action_ask(self, what: str) -> None:
        """Ask for a moment to jump to, or for a breakpoint."""
        prompt = self.query_one("#prompt", Input)
        prompt.placeholder = self.spoken.say("jump to: 1.5s, 200ms, a step like 1234, or 50%") if what == "jump" else self.spoken.say(
            "stop at: recv, would_block, fd=4, listener, a client, server.py:18; several words must all fit")
        prompt.value = ""
        prompt.add_class("shown")
        self._asking = what
        prompt.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do what was typed."""
        what, text = self._asking, event.value
        self.action_leave()
        self.note = ""
        try:
            if not text.strip():
                return
            if what == "jump":
                self.deck.go(read_jump(text, self.deck.reel.play.line))
            else:
                self.deck.set_break(text)
        except Misread:
            self.note = self.spoken.say("{text} means nothing here: see ? for what does", text=visible(text)[:30])
        finally:
            self.redraw()

    def action_leave(self) -> None:
        """Put the prompt away."""
        self._asking = ""
        self.query_one("#prompt", Input).remove_class("shown")
        self.set_focus(None)

    def action_help(self) -> None:
        """Show all keys."""
        self.push_screen(HelpScreen(self.spoken))

    def clicked(self, number: int, name: str, y: int) -> None:
        """Take a click on a line of a pane: of the log, go there; of the source, stop there from now on, or no longer."""
        self.deck.active = number
        self.note = ""
        view = self.view(number)
        room = next((pane.size.height for pane in self.query(Pane) if pane.name == name and pane.number == number), 1) - 1
        if name == "log" and y > 0:
            rows = panes.log_rows(view, room)
            if y <= len(rows):
                self.deck.go(view.reel.play.line.at_call(rows[y - 1][0] + 1))
        elif name == "source" and y > 0:
            place = panes.source_place(view, room, y)
            if place is not None and not self.deck.turn_break(*place):
                self.note = self.spoken.say("nothing is called on line {line}", line=place[1])
        self.redraw()


def play(reels: Sequence[Reel], spoken: Language) -> int:
    """Show runs until the person leaves, or SIGTERM comes: the terminal is then as it was before.

    Returns:
        The exit status.

    Raises:
        SockreelError: the trace is damaged where somebody looked.
    """
    # A shell may hand on the size that its terminal had once; textual would believe it for ever, and never resize.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    player = Player(Deck(reels), spoken)

    def leave(number: int, _frame: object) -> None:
        player.exit(return_code=128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        player.run()
    finally:
        signal.signal(signal.SIGTERM, before)
    if player.failed is not None:
        raise player.failed
    return player.return_code or 0
