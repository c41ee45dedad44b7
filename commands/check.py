"""`sockreel check`: is a trace whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._options import LookCommand, opened_trace

if TYPE_CHECKING:
    from pathlib import Path

    from ..traces.checking import Check


@click.command("check", cls=LookCommand)
@click.argument("trace", metavar="FILE[#RUN]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(trace: str, as_json: bool) -> int:
    """Say whether a trace is whole, or what is wrong with it.

    Asks SQLite about the file, then compares every run with what was counted while it was recorded: calls,
    their times, the sums that pictures are drawn from. Exit status 0: whole; 1: not. TRACE is a file;
    FILE#LABEL or FILE#ID checks that run only.

    \b
    Example:
      sockreel check lab.db
      sockreel check lab.db --json
    """
    from ..traces import split_reference
    from ..traces.checking import check_trace

    file, selector = split_reference(trace)
    with opened_trace(file) as opened:
        found = check_trace(opened, None if selector is None else opened.find_run(selector))
    if as_json:
        from ._screen import print_json

        print_json(_object(file, found))
    else:
        _print(file, found)
    return 0 if found.whole else 1


def _object(file: Path, found: Check) -> dict[str, Any]:
    return {
        "file": str(file),
        "whole": found.whole,
        "runs": [
            {"id": run.id, "label": run.label, "finished": run.duration_ns is not None, "calls_recorded": run.calls_recorded,
             "calls_lost": run.calls_lost} for run in found.runs
        ],
        "findings": [{"run": finding.run_id, "wrong": finding.wrong, "text": finding.text} for finding in found.findings],
    }  # fmt: skip


def _print(file: Path, found: Check) -> None:
    from ..replay.words import counted, visible
    from ._screen import line

    line(f"{visible(str(file))}: {'whole' if found.whole else 'not whole'}", "bold green" if found.whole else "bold red")
    for finding in found.findings:
        if finding.run_id is None:
            line(f"  {visible(finding.text)}", "red" if finding.wrong else "yellow")
    for run in found.runs:
        told = [finding for finding in found.findings if finding.run_id == run.id]
        label = f" {visible(run.label)}" if run.label else ""
        lost = "none lost" if not run.calls_lost else f"{run.calls_lost:,} lost"
        line(f"  #{run.id}{label}: {counted(run.calls_recorded, 'call')}, {lost}")
        for finding in told:
            line(f"      {visible(finding.text)}", "red" if finding.wrong else "yellow")
    if not found.runs:
        line("  it holds no run")
