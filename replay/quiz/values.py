"""What a question is made of: frozen, in one language, free of any picture.

Owns their shapes. Knows neither the trace they come from nor who asks them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LETTERS = "ABCDE"


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers to choose from: `key` names it in every language (waits, line:14, client:anna)."""

    key: str
    words: str


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A line of the program; `here`: the one in execution."""

    number: int
    text: str
    here: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before its options are put in order.

    Args:
        right: the key of the right answer, by the trace.
        options: all of them, the right one among them.
        scene: how things stand, a sentence each: all that the answer can be found from.
        because: why, with the call that proves it.
        calls: ids of the calls that prove it.
        at_ns: the moment at which it is asked (ns since the run's start); None: about the whole run.
        thread_id, socket_id: whose moment it is, where it is that of one.
        tells, asks: what its text and its explanation give away, and what it asks for. A question is not asked right after
            one that tells what it asks.
    """

    right: str
    options: tuple[Option, ...]
    scene: tuple[str, ...]
    ask: str
    because: str
    calls: tuple[int, ...]
    at_ns: int | None = None
    file: str = ""
    code: tuple[CodeLine, ...] = ()
    thread_id: int | None = None
    socket_id: int | None = None
    tells: frozenset[str] = frozenset()
    asks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Idea:
    """A question that may be asked: how much it is worth asking, and how to make it.

    Args:
        kind: what sort of question (`call`, `left`, `served` ...).
        like: what makes two questions of a kind alike; of those only one is asked while there are others.
        weight: how often students go wrong here, from 1 on.
        make: returns it in the material's language; None where it turns out to be ambiguous.
    """

    kind: str
    like: str
    weight: float
    make: Callable[[], Draft | None]


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is asked: `answer` is the place of the right option, from 0 on. The rest is as in `Draft`."""

    kind: str
    run: str
    run_id: int
    at_ns: int | None
    scene: tuple[str, ...]
    file: str
    code: tuple[CodeLine, ...]
    ask: str
    options: tuple[Option, ...]
    answer: int
    because: str
    calls: tuple[int, ...]
    thread_id: int | None
    socket_id: int | None
    tells: frozenset[str]
    asks: frozenset[str]

    @property
    def bound_call_id(self) -> int | None:
        """The call before which it is asked: the first that would tell the answer; None: any call would."""
        if self.at_ns is None:
            return None
        return self.calls[1] if self.kind in ("next", "again") else self.calls[0]

    @property
    def right(self) -> Option:
        """The right answer."""
        return self.options[self.answer]

    @property
    def letter(self) -> str:
        """Its letter on paper."""
        return LETTERS[self.answer]
