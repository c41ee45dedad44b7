"""Questions about a run, asked before it is shown: what will this call do, who is served next, which line runs now?

Owns which questions are asked, and how they look on a screen and on paper. Every answer is what the trace holds.
"""

from __future__ import annotations

from .choosing import Quiz, in_time, make_quiz, make_quizzes
from .values import CodeLine, Option, Question

__all__ = ["CodeLine", "Option", "Question", "Quiz", "in_time", "make_quiz", "make_quizzes"]
