"""A quiz in a terminal: a question, its answer with why, the score. Plain lines, so that it can be piped and needs no terminal.

Owns how they look, and how an answer is read from a line. Asks nobody, reads nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.cells import cell_len

from ..language import Language, wrapped
from ..look import Look, Page
from ..words import fit, moment
from .choosing import Quiz
from .kinds import KINDS
from .values import LETTERS, Question

_QUIET, _STRONG, _GOOD, _BAD = "dim", "bold", "green", "red"


@dataclass
class Score:
    """What was answered so far: the place of the chosen option by question, None where it was passed."""

    given: list[tuple[Question, int | None]] = field(default_factory=list)

    @property
    def right(self) -> int:
        """How many were right."""
        return sum(choice == question.answer for question, choice in self.given)

    @property
    def passed(self) -> int:
        """How many were passed."""
        return sum(choice is None for _, choice in self.given)


def read_choice(line: str, question: Question) -> int | None:
    """Return the option that a line names, by its number or letter; None where it names none."""
    word = line.strip().casefold()
    if word.isascii() and word.isdigit() and 1 <= int(word[:3]) <= len(question.options):
        return int(word) - 1
    letters = LETTERS[: len(question.options)].casefold()
    return letters.index(word) if len(word) == 1 and word in letters else None


def render_question(question: Question, number: int, quiz: Quiz, look: Look, language: Language) -> str:
    """Return a question: where the program is, how things stand, what is asked, the numbered answers."""
    say, page = language.say, Page(look)
    where = f" · {question.run}" if len(quiz.runs) > 1 or question.at_ns is None else ""
    when = f" · {moment(question.at_ns, 1_000_000)}" if question.at_ns is not None else ""
    head = say("Question {n} of {all}", n=number, all=len(quiz.questions)) + where + when
    page.line((fit(head, min(look.width, cell_len(head))), _STRONG))
    page.line("")
    _code(page, question, look)
    for sentence in question.scene:
        _put(page, sentence, look.width, "· " if not look.ascii else "- ", 2)
    if question.scene:
        page.line("")
    _put(page, question.ask, look.width, style=_STRONG)
    for place, option in enumerate(question.options, 1):
        _put(page, option.words, look.width, f"  {place}  ", 5)
    return page.text()


def _code(page: Page, question: Question, look: Look) -> None:
    if not question.code:
        return
    page.line((question.file, _QUIET))
    width = len(str(question.code[-1].number))
    # What all lines are indented by is nothing to read.
    indent = min((len(line.text) - len(line.text.lstrip()) for line in question.code if line.text.strip()), default=0)
    sign = ">" if look.ascii else "▶"
    for line in question.code:
        text = f"{sign if line.here else ' '} {line.number:>{width}}  {line.text[indent:]}"
        page.line((fit(text, look.width).rstrip(), _STRONG if line.here else ""))
    page.line("")


def _put(page: Page, text: str, width: int, first: str = "", indent: int = 0, style: str = "") -> None:
    """Add a text over as many lines as it takes, the first behind a sign, the others as far in."""
    for number, row in enumerate(wrapped(text, max(20, width - indent))):
        page.line((first if not number else " " * indent, ""), (row, style))


def render_reply(question: Question, choice: int | None, look: Look, language: Language) -> str:
    """Return whether an answer was right, what is right, and why."""
    say, page = language.say, Page(look)
    right = say("{n}: {words}", n=question.answer + 1, words=question.right.words)
    if choice is None:
        _put(page, say("Passed. The answer is {answer}.", answer=right), look.width)
    elif choice == question.answer:
        _put(page, say("Right."), look.width, style=_GOOD)
    else:
        _put(page, say("No. The answer is {answer}.", answer=right), look.width, style=_BAD)
    _put(page, question.because, look.width)
    return page.text()


def render_score(score: Score, quiz: Quiz, look: Look, language: Language) -> str:
    """Return how many were right, what to look at again, and how to get the same questions again."""
    say, page = language.say, Page(look)
    if not score.given:
        _put(page, say("No question was answered."), look.width)
    else:
        _put(page, language.count("{right} of {n} question right.", "{right} of {n} questions right.", len(score.given), right=score.right)
             + (" " + say("Passed: {n}.", n=score.passed) if score.passed else ""), look.width, style=_STRONG)
    missed = Counter(say(KINDS[question.kind]) for question, choice in score.given if choice != question.answer)
    if missed:
        _put(page, say("Look again at: {topics}.", topics=say(", ").join(missed)), look.width)
    _put(page, say("--seed {seed} asks the same questions again.", seed=quiz.seed), look.width, style=_QUIET)
    return page.text()


def prompt(question: Question | None, language: Language) -> str:
    """Return what stands where the answer is typed; None: where somebody goes on to the next question."""
    if question is None:
        return language.say("Enter: next question, q: end> ")
    return language.say("Your answer (1-{n}; Enter: pass, q: end)> ", n=len(question.options))


def not_understood(question: Question, language: Language) -> str:
    """Return what is said to an answer that names no option."""
    return language.say("A number from 1 to {n}, please.", n=len(question.options))
