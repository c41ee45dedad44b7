"""How a run is brought to its end: Ctrl-C, SIGTERM, and the signals that we send for a limit.

Owns what was asked for so far and what is still to be sent. Knows neither trace nor processes: who gets a signal is
told from outside.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_PATIENCE_S = 2.0  # between SIGINT, SIGTERM and SIGKILL


class Ending:
    """The end of one run.

    Args:
        send: sends a signal to every recorded process that still runs.
        is_alive: whether there is any.
        say: takes a line for the user.
    """

    def __init__(self, send: Callable[[int], None], is_alive: Callable[[], bool], say: Callable[[str], None]) -> None:
        self.by = ""  # why it ends, "" as long as nobody asked for it
        self._send = send
        self._is_alive = is_alive
        self._say = say
        self._interrupts = 0
        self._answered = 0  # of them
        self._passed_on: list[int] = []
        self._due: list[tuple[float, int]] = []  # (when, signal) still to be sent to end the run

    @contextmanager
    def taking_signals(self) -> Iterator[None]:
        """Take Ctrl-C and SIGTERM ourselves; what the caller ignored stays ignored, for us and the program."""
        before = {}
        for number, handler in ((signal.SIGINT, self._interrupted), (signal.SIGTERM, self._terminated), (signal.SIGHUP, self._terminated)):
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        # The terminal has sent the same Ctrl-C to the program, being in our process group.
        self._interrupts += 1

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        self._passed_on.append(number)

    @property
    def is_under_way(self) -> bool:
        """Whether anybody asked for it, or signals are still to be sent."""
        return bool(self.by or self._due)

    def begin(self, why: str, now_s: float) -> None:
        """Begin to end the run: SIGINT, after a while SIGTERM, after a while SIGKILL."""
        self.by = why
        self._due = [(now_s, signal.SIGINT), (now_s + _PATIENCE_S, signal.SIGTERM), (now_s + 2 * _PATIENCE_S, signal.SIGKILL)]

    def send_due(self, now_s: float) -> None:
        """Send the signals whose time has come."""
        while self._due and now_s >= self._due[0][0]:
            self._send(self._due.pop(0)[1])

    def answer_signals(self) -> None:
        """Do what signals that came since the last time ask for."""
        while self._passed_on:
            self.by = self.by or "terminated"
            self._send(self._passed_on.pop(0))
        interrupts = self._interrupts  # one that comes while this one is answered is answered next time
        if interrupts > self._answered:
            self.by = self.by or "interrupt"
            if interrupts == 1:
                self._due = []
                if self._is_alive():
                    self._say("waiting for the program to end; Ctrl-C again sends SIGTERM, a third time SIGKILL")
            else:
                self._send(signal.SIGTERM if interrupts == 2 else signal.SIGKILL)
        self._answered = interrupts
