"""`sockreel tell`: a run as a text to read."""

from __future__ import annotations

from typing import Any

import click

from ._options import MOMENT, LookCommand, look_options, opened_run, put, put_json, reference_argument, screen_look, window_of


@click.command("tell", cls=LookCommand)
@reference_argument
@click.option("--lang", "code", type=click.Choice(["en", "zh"]), help="The language: English or Chinese (default: that of the locale).")
@click.option("--from", "from_ns", type=MOMENT, help="Begin here: 1.5s, 200ms, 3us, or plain seconds since the run's start.")
@click.option("--to", "to_ns", type=MOMENT, help="End here.")
@click.option("--lines", type=click.IntRange(1), default=1_000, show_default=True, help="Tell at most so many sentences.")
@click.option("--no-payload", is_flag=True, help="Without what was said.")
@look_options
@click.option("--json", "as_json", is_flag=True, help="Print the sentences as JSON, with the ids of their calls.")
def command(
    reference: str, code: str | None, from_ns: int | None, to_ns: int | None, lines: int, no_payload: bool, width: int | None,
    as_json: bool,
) -> None:
    """Tell a run as a text: a sentence for each call.

    Says what each call did, whether it waited, and what came of it. Calls in a row that found nothing share one sentence.

    \b
    Example:
      sockreel tell lecture.db#blocking
      sockreel tell lecture.db#nonblocking --lang zh
      sockreel tell lecture.db --from 1.2s --to 1.3s
    """
    from ..replay import end_of_run
    from ..replay.language import language, usual_language
    from ..replay.tale import load_tale, render_tale

    spoken = language(code or usual_language())
    with opened_run(reference) as (trace, run):
        window = window_of(from_ns, to_ns, end_of_run(trace, run))
        tale = load_tale(trace, run, spoken, window, lines, payloads=not no_payload)
        if as_json:
            put_json(_object(tale, run.id, spoken.code))
            return
        put(render_tale(tale, screen_look(width), spoken))


def _object(tale: Any, run_id: int, code: str) -> dict[str, Any]:
    from dataclasses import asdict

    return {"run": run_id, "language": code, **asdict(tale)}
