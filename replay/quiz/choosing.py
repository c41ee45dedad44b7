"""Which questions are asked, in which order: varied, those first where students go wrong, none right after one that gives it away.

Owns the choice, which a seed decides. Knows nothing of screens and paper.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TypeVar

from ...traces import Run, Trace
from ..language import Language
from ..reading import damaged
from ..words import visible
from .material import Material
from .of_calls import ideas_of_calls
from .of_lines import ideas_of_lines
from .of_order import ideas_of_order
from .of_runs import ideas_of_runs
from .of_servers import ideas_of_servers
from .values import Draft, Idea, Option, Question

_Made = TypeVar("_Made")
GIVEN_AWAY = 2
_FEW = 3
"""Of each kind so many may be asked, or two in five of all: rather fewer questions than the same again and again."""
_MAKERS = (ideas_of_runs, ideas_of_order, ideas_of_calls, ideas_of_lines, ideas_of_servers)
_AGAIN = 0.35
"""Each question of a kind makes the next one of it so much less worth asking."""


@dataclass(frozen=True)
class Quiz:
    """Questions in the order in which they are asked, and the seed that makes the same again."""

    questions: tuple[Question, ...]
    seed: int
    runs: tuple[str, ...]
    language: str


def make_quiz(runs: Sequence[tuple[Trace, Run]], language: Language, seed: int, questions: int, kinds: Iterable[str] = ()) -> Quiz:
    """Return a quiz about some runs.

    Args:
        runs: each with its trace, which stays the caller's to close.
        seed: the same one makes the same questions, in every language.
        questions: at most so many; there may be fewer that are worth asking.
        kinds: only questions of these; none: of all.

    Raises:
        TraceError: a trace is damaged.
    """
    return make_quizzes(runs, [language], seed, questions, kinds)[0]


def make_quizzes(
    runs: Sequence[tuple[Trace, Run]], languages: Sequence[Language], seed: int, questions: int, kinds: Iterable[str] = (),
) -> list[Quiz]:
    """Return the same quiz in several languages, the runs being read once.

    Args, Raises: as `make_quiz`.
    """
    materials = []
    for trace, run in runs:
        try:
            materials.append(Material(trace, run, languages[0]))
        except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
            raise damaged(trace, error) from error
    wanted, names = frozenset(kinds), tuple(visible(run.name) for _, run in runs)
    asked = ((language, _choose(materials, language, seed, questions, wanted)) for language in languages)
    return [Quiz(tuple(_ordered(chosen)), seed, names, language.code) for language, chosen in asked]


def in_time(quiz: Quiz) -> Quiz:
    """Return a quiz in the order of its moments, questions about a whole run first, without those that the one before gives away."""
    kept: list[Question] = []
    for question in sorted(quiz.questions, key=_moment):
        if not kept or _clash(kept[-1], question) < GIVEN_AWAY:
            kept.append(question)
    return replace(quiz, questions=tuple(kept))


def _moment(question: Question) -> int:
    """Return where a question stands in the order of time: before all others what all others tell."""
    return {"model": -2, "asyncio": -2}.get(question.kind, -1) if question.at_ns is None else question.at_ns


def _choose(materials: Sequence[Material], language: Language, seed: int, questions: int, wanted: frozenset[str]) -> list[Question]:
    """Return questions about some runs in turn."""
    chance = random.Random(seed)
    chosen: list[Question] = []
    counted: Counter[str] = Counter()
    pools: list[_Pool] = []
    for material in materials:
        material.speak(language)
        pools.append(_guarded(material, partial(_Pool, material, wanted, chance)))
    while pools and len(chosen) < questions:
        pool = min(pools, key=lambda one: one.taken)
        question = _guarded(pool.material, partial(pool.take, counted, max(_FEW, questions * 2 // 5)))
        if question is None:
            pools.remove(pool)
            continue
        counted[question.kind] += 1
        chosen.append(question)
    return chosen


def _guarded(material: Material, make: Callable[[], _Made]) -> _Made:
    """Return what is made of a run, or raise the one line that its trace is damaged."""
    try:
        return make()
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(material.trace, error) from error


class _Pool:
    """The questions of one run that may still be asked."""

    def __init__(self, material: Material, wanted: frozenset[str], chance: random.Random) -> None:
        self.material, self.chance, self.taken = material, chance, 0
        ideas = (idea for make in _MAKERS for idea in make(material))
        # A number for each, drawn once: so the weights decide how likely a question is, not how often it is thought of.
        self._ideas = [(chance.random(), idea) for idea in ideas if not wanted or idea.kind in wanted]
        self._alike: Counter[str] = Counter()
        self._seen: set[tuple[object, ...]] = set()

    def take(self, counted: Counter[str], most: int) -> Question | None:
        """Return the next question; None where there is no further one.

        Args:
            counted: how many of each kind were asked, of all runs.
            most: of each kind at most so many.
        """
        self._ideas = [(drawn, idea) for drawn, idea in self._ideas if counted[idea.kind] < most]
        while self._ideas:
            drawn, idea = max(self._ideas, key=lambda item: self._worth(item[0], item[1], counted))
            self._ideas.remove((drawn, idea))
            draft = idea.make()
            if draft is None:
                continue
            question = self._question(idea, draft)
            same = question.kind, question.calls, question.ask, question.right.key
            if same not in self._seen:
                self._seen.add(same)
                self._alike[idea.like] += 1
                self.taken += 1
                return question
        return None

    def _worth(self, drawn: float, idea: Idea, counted: Counter[str]) -> tuple[int, float]:
        """Return how much a question is worth now: first those unlike all that were asked, then by weight and chance."""
        weight = idea.weight * _AGAIN ** counted[idea.kind]
        return -self._alike[idea.like], drawn ** (1.0 / weight) if weight > 1e-9 else 0.0

    def _question(self, idea: Idea, draft: Draft) -> Question:
        options = list(draft.options)
        if not _in_order(options):
            random.Random(f"{self.chance.random()}").shuffle(options)
        answer = next(number for number, option in enumerate(options) if option.key == draft.right)
        same = {field.name: getattr(draft, field.name) for field in fields(draft) if field.name not in ("right", "options")}
        return Question(kind=idea.kind, run=visible(self.material.run.name), run_id=self.material.run.id, options=tuple(options),
                        answer=answer, **same)


def _in_order(options: Sequence[Option]) -> bool:
    """Whether options have an order of their own: ranges, and lines of a program."""
    return all(option.key.startswith(("range:", "line:")) for option in options)


def _ordered(questions: Sequence[Question]) -> list[Question]:
    """Return questions so that none comes right after one of its kind, as far as that can be, and none is next to one that gives it away.

    One that finds no such place is left out.
    """
    left: list[Question] = list(questions)
    order: list[Question] = []
    while left:
        if not order:
            order.append(left.pop(0))
            continue
        best = min(range(len(left)), key=lambda at: (_clash(order[-1], left[at]), at))
        if _clash(order[-1], left[best]) < GIVEN_AWAY:
            order.append(left.pop(best))
            continue
        question = left.pop(best)
        place = next((at for at in range(len(order)) if _fits(order, at, question)), None)
        if place is not None:
            order.insert(place, question)
    return order


def _fits(order: Sequence[Question], at: int, question: Question) -> bool:
    before = not at or _clash(order[at - 1], question) < GIVEN_AWAY
    return before and _clash(question, order[at]) < GIVEN_AWAY


def _clash(one: Question, other: Question) -> int:
    """Return how badly a question stands before another: GIVEN_AWAY, 1 of the same kind, 0 well."""
    same_run = (one.run_id, one.run) == (other.run_id, other.run)
    # On paper both are in view: there the later one must not tell what became of a call that the first asks about.
    backwards = any(fact.startswith("call:") for fact in one.asks & other.tells)
    if same_run and (one.tells & other.asks or backwards):
        return GIVEN_AWAY
    return int(one.kind == other.kind)
