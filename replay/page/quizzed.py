"""The questions of a run as the page asks them: in the order of their moments, in every language.

Owns the names of their keys, which quiz.js reads. Which questions, and every word of them, are those of `sockreel quiz`.
"""

from __future__ import annotations

from typing import Any

from ..language import LANGUAGES, language
from ..quiz import Question, in_time, make_quizzes
from ..reading import Reader
from .document import Shown
from .packing import pack

QUESTIONS = 24
SEED = 1
CALLS_UP_TO = 1_000_000
"""About a run of more calls than these the page asks nothing: `sockreel quiz` does."""


def pack_quiz(shown: Shown) -> bytes | None:
    """Return a pack of the questions about a run, or the window of it that is shown; None where there is nothing to ask.

    Args:
        shown: the run.

    Raises:
        TraceError: the trace is damaged.
    """
    if Reader(shown.trace, shown.run).extent.counted > CALLS_UP_TO:
        return None
    quizzes = [in_time(quiz) for quiz in make_quizzes([(shown.trace, shown.run)], [language(code) for code in LANGUAGES], SEED, QUESTIONS)]
    window = shown.window
    told = {quiz.language: [_told(question) for question in quiz.questions
                            if question.at_ns is None or window.start_ns <= question.at_ns < window.end_ns] for quiz in quizzes}
    return pack({"quiz": told}) if any(told.values()) else None


def _told(question: Question) -> dict[str, Any]:
    return {
        "kind": question.kind, "at": question.at_ns, "call": question.bound_call_id, "file": question.file,
        "code": [[line.number, line.text, line.here] for line in question.code], "scene": list(question.scene), "ask": question.ask,
        "options": [option.words for option in question.options], "lines": question.options[0].key.startswith("line:"),
        "answer": question.answer, "because": question.because}
