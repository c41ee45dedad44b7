"""`sockreel claims`: what tutorials claim of the I/O models, measured and judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._recording import default_output, speaker

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command("claims")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The trace.  [default: claims-YYYYmmdd-HHMMSS.db]")
@click.option("-f", "--force", is_flag=True, help="Write over an existing trace.")
@click.option("--from", "existing", type=click.Path(path_type=Path), metavar="FILE", help="Record nothing: judge the runs of this trace.")
@click.option("--page", type=click.Path(path_type=Path), metavar="FILE", help="Write the page here instead of printing it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list: claims, verdicts, reasons, tables.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing while it runs.")
@click.pass_context
def command(
    ctx: click.Context, output: Path | None, force: bool, existing: Path | None, page: Path | None, as_json: bool, quiet: bool
) -> None:
    """Judge what tutorials claim of the I/O models by runs made here and now.

    Records the teaching servers in silence and under a burst, the tutorial's own server, and receives of 1 byte to
    1 MB; about 25 runs, in half a minute. Each verdict follows from the figures by a rule that is printed beside it;
    where the figures do not decide, it says so.

    \b
    Example:
      sockreel claims
      sockreel claims -o claims.db --page claims.md
      sockreel claims --from claims.db --json
    """
    from dataclasses import asdict

    from ..replay.claims import claims_page, judge, measure
    from ..replay.claims.texts import STATEMENTS
    from ..traces import open_trace
    from ._options import put, put_json

    if existing is not None and output is not None:
        raise click.UsageError("--from records nothing, and -o says where to record: give one of them")

    say = speaker(quiet)
    trace = existing or output or default_output("claims")
    sound = existing is not None or _record(trace, force, say)
    with open_trace(trace) as opened:
        measures = measure(opened)
    claims = judge(measures)
    if as_json:
        put_json([{"statement": STATEMENTS[claim.name], **asdict(claim)} for claim in claims])
    text = claims_page(claims, measures, trace.name)
    if page is not None:
        page.write_text(text, encoding="utf-8")
        say(f"the page is {page}")
    elif not as_json:
        put(text)
    if not sound:
        ctx.exit(1)


def _record(trace: Path, force: bool, say: Callable[[str], None]) -> bool:
    """Record every run; return whether all went as they should."""
    from ..recorder.models import able, choose
    from ..recorder.session import Settings
    from ..recorder.trials import all_trials, run_trials

    trials = all_trials(able(choose(None), say))
    sound = True
    # What is counted is enough: folded, a second of polling takes no room.
    base = Settings(output=trace, existing="replace" if force else "refuse", payload_bytes=0, fold=True, gives_way=True)
    for number, (trial, result) in enumerate(run_trials(trials, base, say), 1):
        say(f"{number} of {len(trials)}  {trial.label}: {result.calls:,} calls recorded")
        for complaint in result.complaints:
            sound = False
            say(f"{trial.label}: {complaint}")
    say(f"the runs are in {trace}; next: sockreel claims --from {trace} --json, sockreel runs {trace}")
    return sound
