"""`sockreel explain`: what is wrong with a server, with the calls that prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._options import LookCommand, lang_option, look_options, opened_run, put, put_json, screen_look

if TYPE_CHECKING:
    from ..replay.diagnosis import Diagnosis


@click.command("explain", cls=LookCommand)
@click.argument("reference", metavar="FILE[#RUN]", required=False)
@look_options
@lang_option
@click.option("--rules", "list_rules", is_flag=True, help="List the rules, and what each looks for.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object: model, findings with their calls, what was looked at.")
def command(reference: str | None, width: int | None, list_rules: bool, as_json: bool) -> None:
    """Say what is wrong with a server, and which calls prove it.

    Names the I/O model that the run follows and applies every rule of docs/explain.md. A finding says what was seen,
    what it costs, why, and what to do; the ids are those of `sockreel query FILE "SELECT * FROM call_log WHERE id = ..."`.

    \b
    Example:
      sockreel explain lecture.db#nonblocking
      sockreel explain lab.db --json
      sockreel explain --rules
      sockreel explain lab.db#nonblocking --lang zh
    """
    from ..replay.diagnosis import diagnose
    from ..replay.terminal_diagnosis import render_diagnosis, render_rules
    from ..traces import called

    look = screen_look(width)
    if list_rules:
        put(render_rules(look))
        return
    if reference is None:
        raise click.UsageError("Name a run: FILE, FILE#LABEL or FILE#ID.")
    with opened_run(reference) as (trace, run):
        found = diagnose(trace, run)
        if as_json:
            put_json(_object(found, run.id))
            return
        put(render_diagnosis(found, run.name, look, called(trace.path)))


def _object(found: Diagnosis, run_id: int) -> dict[str, Any]:
    from dataclasses import asdict

    from ..replay import model_json

    return {
        "run": run_id,
        "model": model_json(found.model),
        "findings": [asdict(finding) for finding in found.findings],
        "looked_at": dict(found.looked_at),
        "not_looked_at": dict(found.untold),
        "not_seen": list(found.unseen),
    }
