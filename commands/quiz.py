"""`sockreel quiz`: questions about a run, asked before it is shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._options import LookCommand, look_options, opened_run, opened_trace, put, put_json, screen_look, shown

if TYPE_CHECKING:
    from ..replay.language import Language
    from ..replay.look import Look
    from ..replay.quiz import Quiz
    from ..replay.quiz.terminal import Score
    from ..traces import Run, Trace

ENDINGS = ".html, .md, .txt"


@click.command("quiz", cls=LookCommand)
@click.argument("references", metavar="FILE[#RUN]...", nargs=-1, required=True)
@click.option("--lang", "code", type=click.Choice(["en", "zh"]), help="The language: English or Chinese (default: that of the locale).")
@click.option("--questions", type=click.IntRange(1, 1_000), default=10, show_default=True, help="Ask at most so many.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="The same number asks the same questions.  [default: others each time]")
@click.option("--export", "sheet", type=click.Path(path_type=Path), metavar="FILE",
              help=f"Write a sheet to print, its key on a page of its own: {ENDINGS}.")
@click.option("-f", "--force", is_flag=True, help="Write over an existing file.")
@look_options
@click.option("--json", "as_json", is_flag=True, help="Print the questions with their answers as JSON.")
def command(
    references: Sequence[str], code: str | None, questions: int, seed: int | None, sheet: Path | None, force: bool, width: int | None,
    as_json: bool,
) -> None:
    """Ask about a run before it is shown: what will this call do, who is served next, which line runs now?

    Every answer is what the trace holds; the explanation names the call that proves it. FILE alone asks about all its
    runs. Answer with a number and Enter; Enter alone passes, q ends.

    \b
    Example:
      sockreel quiz lecture.db
      sockreel quiz lecture.db#nonblocking --questions 20 --lang zh
      sockreel quiz lecture.db --seed 7 --export sheet.html
    """
    from random import SystemRandom

    from ..replay.language import language, usual_language
    from ..replay.quiz import make_quiz

    spoken = language(code or usual_language())
    with ExitStack() as stack:
        runs = [run for reference in references for run in _runs(stack, reference)]
        quiz = make_quiz(runs, spoken, SystemRandom().randrange(10_000) if seed is None else seed, questions)
        if not quiz.questions:
            raise click.ClickException(f"nothing in {', '.join(references)} can be asked about: it needs calls on sockets")
        if sheet is not None:
            _export(quiz, sheet, force, spoken, [trace.path for trace, _ in runs])
        elif as_json:
            put_json(_object(quiz))
        else:
            _play(quiz, screen_look(width), spoken)


def _runs(stack: ExitStack, reference: str) -> list[tuple[Trace, Run]]:
    """Return the run that a reference names, or all runs of a file that it names alone."""
    from ..traces import split_reference

    path, selector = split_reference(reference)
    if selector is not None:
        return [stack.enter_context(opened_run(reference))]
    trace = stack.enter_context(opened_trace(path))
    runs = trace.runs()
    return [(trace, run) for run in runs] if runs else [(trace, trace.find_run(None))]


def _object(quiz: Quiz) -> dict[str, Any]:
    from dataclasses import asdict

    questions = [{**asdict(question), "tells": sorted(question.tells), "asks": sorted(question.asks)} for question in quiz.questions]
    return {"seed": quiz.seed, "language": quiz.language, "runs": list(quiz.runs), "questions": questions}


def _export(quiz: Quiz, path: Path, force: bool, language: Language, traces: Sequence[Path]) -> None:
    from ..replay.quiz.sheet import SHEETS
    from .export import refuse_existing, written_whole

    render = SHEETS.get(path.suffix.lower())
    if render is None:
        raise click.UsageError(f"{shown(path)}: a sheet is one of {ENDINGS}")
    refuse_existing(path, force, traces)
    with written_whole(path) as out:
        out.write(render(quiz, language).encode("utf-8", "backslashreplace"))
    print(f"sockreel: {shown(path)}: {len(quiz.questions)} questions, the key on a page of its own; seed {quiz.seed}", file=sys.stderr)


def _play(quiz: Quiz, look: Look, language: Language) -> None:
    """Ask one question after the other, until all are asked, nobody answers any more, or somebody has had enough."""
    from ..replay.quiz.terminal import Score, render_score

    score = Score()
    try:
        for number in range(1, len(quiz.questions) + 1):
            if not _ask(quiz, number, score, look, language):
                break
    except KeyboardInterrupt:
        put("\n")
    put("\n" + render_score(score, quiz, look, language))


def _ask(quiz: Quiz, number: int, score: Score, look: Look, language: Language) -> bool:
    """Ask one question; say whether to go on."""
    from ..replay.quiz.terminal import not_understood, prompt, read_choice, render_question, render_reply

    question = quiz.questions[number - 1]
    put(render_question(question, number, quiz, look, language) + "\n")
    while True:
        line = _line(prompt(question, language))
        if line is None or line.strip().casefold() in ("q", "quit"):
            return False
        choice = read_choice(line, question)
        if choice is not None or not line.strip():
            break
        put(not_understood(question, language) + "\n")
    score.given.append((question, choice))
    put("\n" + render_reply(question, choice, look, language) + "\n")
    if number == len(quiz.questions) or not sys.stdin.isatty():
        return True
    # On a terminal there is time to read why.
    line = _line(prompt(None, language))
    put("\n")
    return line is not None and line.strip().casefold() not in ("q", "quit")


def _line(prompt: str) -> str | None:
    """Return a line that somebody typed, shown where nobody typed it; None at the end of the input."""
    put(prompt)
    sys.stdout.flush()
    try:
        line = sys.stdin.readline()
    except (UnicodeDecodeError, ValueError):
        return "?\n"
    if not line:
        put("\n")
        return None
    if not sys.stdin.isatty():
        from ..replay.words import visible

        put(visible(line.strip()) + "\n")
    return line
