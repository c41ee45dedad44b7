"""The values of a figure: rows with their moments and how these are known, and the phases between them.

Owns their shapes. Knows no file, no picture and no language: what a figure says is a key until it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .receive import Receive
from .values import Span

Kind = Literal["call", "return", "kernel", "program", "more"]
Source = Literal["calls", "kernel", "packet", "sender", "client", "signal", "none"]
State = Literal["wait", "copy", "blocked", "polls", "free", "unknown"]
MODELS = {"blocking": "6.1", "nonblocking": "6.2", "multiplexing": "6.3", "signal-driven": "6.4", "asynchronous": "6.5"}


@dataclass(frozen=True, slots=True)
class Say:
    """Words still to be said in a language: their key, and what goes into them."""

    key: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One row.

    Args:
        kind: an arrow from program to kernel, one back, something in the kernel or in the program, or calls left out.
        at_ns: run time; None where it was not measured.
        source: how that is known: the call's own start or return, the kernel's time stamp, a captured packet, the send of
            a recorded peer, the workload's client, Python's signal.
        program, wire, kernel: what stands on the left, on the arrow, on the right.
        caption: below the arrow.
        queued: bytes in the kernel's buffer after it; None: not known. `at_least`: as many, perhaps more.
        inside: whether the program is in a call after it.
        call_id: the call that the row is of.
    """

    kind: Kind
    at_ns: int | None
    source: Source
    program: Say | None = None
    wire: Say | None = None
    kernel: Say | None = None
    caption: Say | None = None
    queued: int | None = None
    at_least: bool = False
    inside: bool = False
    call_id: int | None = None

    @property
    def told(self) -> bool:
        """Whether it is a moment in the kernel of its own: data came, or was sent."""
        return self.kind == "kernel" and self.kernel is not None and self.kernel.key.endswith((" ready", "sent"))

    @property
    def unmeasured(self) -> bool:
        """Whether nobody knows when that was."""
        return self.told and self.at_ns is None


@dataclass(frozen=True, slots=True)
class Phase:
    """What lies between two rows: a brace. `side` is whose: what the program does, or what the kernel has for it."""

    side: Literal["program", "kernel"]
    first: int
    last: int
    state: State
    words: Say
    ns: int | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Args:
        number: of Stevens' figure with the same shape.
        operation, asked, result: of the call that moved the data.
        origin_ns: the run time from which the rows are counted.
        phases: braces, those of the program and those of the kernel.
        notes: what else is to be known.
        data: the first bytes that came, of `result`.
    """

    model: str
    number: str
    receive: Receive
    origin_ns: int
    steps: tuple[Step, ...]
    phases: tuple[Phase, ...]
    notes: tuple[Say, ...]

    @property
    def call(self) -> Span:
        """The call that moved the data."""
        return self.receive.call

    @property
    def noun(self) -> str:
        """What was waited for: data, datagram, connection."""
        return "connection" if self.receive.accepts else "datagram" if self.receive.kind == "udp" else "data"
