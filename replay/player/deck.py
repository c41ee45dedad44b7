"""One run, or two in step, being played: where each stands, how fast time goes, where it stops.

Owns every move that a key or the clock can make. Knows no screen: what it is told, it does, and the panes draw what it then is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from .breaks import Break, Misread, break_at, read_break
from .state import Play, State
from .timeline import Playhead, Signature

Mode = Literal["clock", "exchange", "alone"]
MODES: tuple[Mode, ...] = ("clock", "exchange", "alone")
SPEEDS = (*(float(f"{digit}e{power}") for power in range(-6, 3) for digit in (1, 2, 5)), 1000.0)
"""How fast time goes, as a share of life: from a million times slower to a thousand times faster."""
QUIET_S = 1.5
"""With quiet time skipped, nobody waits longer than this for something to begin or end."""


@dataclass
class Reel:
    """A run on the deck: where it stands, and what of its log is folded."""

    play: Play
    title: str
    head: Playhead = field(default_factory=lambda: Playhead(0, 0))
    folded: bool = True
    turned: set[int] = field(default_factory=set)  # first positions of spins that are not as `folded` says
    breaks: list[Break] = field(default_factory=list)  # as far as they mean something in this run

    @property
    def state(self) -> State:
        """How things stand in it."""
        return self.play.state(self.head)

    @property
    def origin_ns(self) -> int:
        """The moment from which two runs are put in step: the first client's connection, else the first call."""
        connected = [exchange.connected_ns for exchange in self.play.exchanges if exchange.connected_ns is not None]
        return min(connected) if connected else (self.play.line.starts[0] if self.play.line.starts else 0)

    def row(self, position: int) -> tuple[int, int]:
        """Return the line of the log that a step is in: first step, and behind the last."""
        first, behind = self.play.line.stretch(position)
        return (first, behind) if self.folded != (first in self.turned) else (position, position + 1)

    def current(self) -> int | None:
        """Return the step that is told: one that has begun and not ended, else the last that ended; None before the first."""
        begun = self.play.line.open_at(self.head)
        ended_ns = self.play.line.ends[self.head.position - 1] if self.head.position else -1
        later = [place for place in begun if self.play.line.starts[place] >= ended_ns]
        if later and self.head.at_ns > ended_ns:
            return max(later, key=self.play.line.starts.__getitem__)
        return self.head.position - 1 if self.head.position else None


@dataclass
class Deck:
    """One or two reels, the clock, and the breakpoints. `stopped_by` is the breakpoint that playing came to last."""

    reels: Sequence[Reel]
    active: int = 0
    mode: Mode = "clock"
    speed: int = SPEEDS.index(1.0)
    playing: bool = False
    skipping: bool = False
    stopped_by: str | None = None
    _rest_ns: float = 0.0

    @property
    def reel(self) -> Reel:
        """The run that keys move."""
        return self.reels[self.active]

    def go(self, head: Playhead) -> None:
        """Put the active run somewhere, and the other in step with it."""
        self.reel.head = head
        self._rest_ns = 0.0
        self._follow()

    def _follow(self) -> None:
        mine = self.reel
        for other in self.reels:
            if other is mine or self.mode == "alone":
                continue
            if self.mode == "clock":
                other.head = other.play.line.at_time(mine.head.at_ns - mine.origin_ns + other.origin_ns)
                continue
            passed = bisect_right(mine.play.answers, mine.head.at_ns)
            same_ns = other.play.answer_ns.get(mine.play.answered[passed - 1]) if passed else 0
            if same_ns is not None:
                other.head = other.play.line.at_time(same_ns)

    def step(self, steps: int) -> None:
        """Go so many calls on, or back (below 0)."""
        self.go(self.reel.play.line.step(self.reel.head, steps))

    def step_row(self, rows: int) -> None:
        """Go so many lines of the log on or back: a folded spin is one."""
        line, head = self.reel.play.line, self.reel.head
        for _ in range(abs(rows)):
            if rows > 0 and head.position < len(line):
                head = line.at_call(self.reel.row(head.position)[1])
            elif rows < 0 and head.position > 0:
                head = line.at_call(self.reel.row(head.position - 1)[0])
        self.go(head)

    def step_half(self) -> None:
        """Go to where the next call begins, or ends."""
        self.go(self.reel.play.line.step_half(self.reel.head))

    def step_fruitful(self, forwards: bool) -> None:
        """Go behind the next call that comes to something, or the one before."""
        self.go(self.reel.play.line.step_fruitful(self.reel.head, forwards))

    def step_exchange(self, forwards: bool) -> None:
        """Go to the moment at which the next exchange ends, or the one before."""
        answers, at_ns = self.reel.play.answers, self.reel.head.at_ns
        at = bisect_right(answers, at_ns) if forwards else bisect_left(answers, at_ns) - 1
        if forwards and at >= len(answers):
            return
        self.go(self.reel.play.line.at_time(answers[at] if at >= 0 else 0))

    def to_end(self, forwards: bool) -> None:
        """Go to the end, or to the beginning."""
        line = self.reel.play.line
        self.go(line.at_call(len(line)) if forwards else Playhead(0, 0))

    def turn_spin(self) -> None:
        """Fold the current spin, or unfold it."""
        position = self.reel.current()
        if position is not None:
            self.reel.turned ^= {self.reel.play.line.stretch(position)[0]}

    def turn_all(self) -> None:
        """Fold all spins, or unfold them."""
        self.reel.folded = not self.reel.folded
        self.reel.turned.clear()

    def faster(self, steps: int) -> None:
        """Let time go faster, or slower (below 0)."""
        self.speed = min(max(self.speed + steps, 0), len(SPEEDS) - 1)

    def next_mode(self) -> None:
        """Put two runs in step in the next way."""
        self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        self._follow()

    @property
    def breaks(self) -> tuple[str, ...]:
        """The breakpoints of all runs, each as it was typed."""
        return tuple(dict.fromkeys(stop.text for reel in self.reels for stop in reel.breaks))

    def set_break(self, text: str) -> None:
        """Stop at something, in every run in which it means something.

        Raises:
            Misread: it means nothing in any of them.
        """
        found: list[tuple[Reel, Break]] = []
        for reel in self.reels:
            with suppress(Misread):
                found.append((reel, read_break(text, reel.play.reader)))
        if not found:
            raise Misread(text)
        for reel, stop in found:
            if stop.text not in {old.text for old in reel.breaks}:
                reel.breaks.append(stop)

    def turn_break(self, file: str, line: int) -> bool:
        """Stop at a line of the program of the active run, or no longer; say whether anything is called from it."""
        reel = self.reel
        there = [stop for stop in reel.breaks if (file, line) in stop.lines]
        if there:
            reel.breaks = [stop for stop in reel.breaks if stop not in there]
            return True
        made = break_at(file, line, reel.play.reader)
        if made is not None:
            reel.breaks.append(made)
        return made is not None

    def clear_breaks(self) -> None:
        """Forget all breakpoints."""
        for reel in self.reels:
            reel.breaks.clear()

    def run_to_break(self, forwards: bool = True) -> bool:
        """Go to the next step that a breakpoint wants, or to the last one; say whether there was one."""
        line, head = self.reel.play.line, self.reel.head
        start = head.position if forwards else max(0, head.position - 1)
        found = line.find(start, self._wanted, forwards)
        if found is None:
            return False
        self.stopped_by = self._name(line.signature(found))
        self.go(line.at_call(found + 1))
        return True

    def _wanted(self, signature: Signature) -> bool:
        return any(stop.wants(signature) for stop in self.reel.breaks)

    def _name(self, signature: Signature) -> str:
        return next((stop.text for stop in self.reel.breaks if stop.wants(signature)), "")

    def advance(self, seconds: float) -> None:
        """Let time go on for so many seconds of the person who looks; stops at a breakpoint, and at the end."""
        if not self.playing:
            return
        line, head = self.reel.play.line, self.reel.head
        self._rest_ns += seconds * SPEEDS[self.speed] * 1e9
        whole_ns = int(self._rest_ns)
        target_ns = head.at_ns + whole_ns
        if self.skipping:
            target_ns = max(target_ns, self._after_quiet(head))
        rest_ns = self._rest_ns - whole_ns
        there = line.at_time(target_ns)
        there = there if there.position >= head.position else Playhead(head.position, there.at_ns)
        stop = line.find(head.position, self._wanted, stop=there.position) if self.reel.breaks else None
        if stop is not None:
            self.stopped_by, self.playing = self._name(line.signature(stop)), False
            there = line.at_call(stop + 1)
        elif target_ns >= line.end_ns and there.position >= len(line):
            self.playing = False
        self.go(there)
        self._rest_ns = rest_ns if self.playing else 0.0

    def _after_quiet(self, head: Playhead) -> int:
        """Return the moment before the next beginning or end, where it is far off."""
        following = self.reel.play.line.step_half(head).at_ns
        far_ns = QUIET_S * SPEEDS[self.speed] * 1e9
        return int(following - far_ns) if following - head.at_ns > far_ns else 0
