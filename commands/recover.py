"""`sockreel recover`: finish a run whose recorder died."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from ..recorder.recover import Recovered


@click.command(name="recover")
@click.argument("trace", metavar="FILE[#RUN]")
@click.option("--now", is_flag=True, help="Do not wait for a program that still runs: take what is there, let it go on unrecorded.")
def command(trace: str, now: bool) -> int:
    """Finish a trace whose recorder died: take in what is left on the tape.

    A program outlives its recorder and goes on writing its tape. This reads the tape to its end, counts
    anew, writes the end of the run and removes the tape. While the program still runs it records on, as
    the recorder would have; Ctrl-C stops that, and what came so far stays. It can be stopped or killed
    at any moment, and started again.

    \b
    Example:
      sockreel recover server-20260115-093000.db
      sockreel recover --now t.db
    """
    from ..recorder.recover import recover
    from ..replay.words import visible
    from ..traces import split_reference
    from ._screen import line

    file, selector = split_reference(trace)

    def say(text: str) -> None:
        print(f"sockreel: {text}", file=sys.stderr, flush=True)

    try:
        found = recover(file, selector, now, say)
    except KeyboardInterrupt:
        say(f"stopped; what came so far is in {file}, and the rest stays on the tape: sockreel recover {file}")
        return 130
    if not found:
        line(f"{visible(str(file))}: nothing to recover, every run has its end")
    for run in found:
        _print(file, run)
    return 0


def _print(file: Path, run: Recovered) -> None:
    from ..replay.words import counted, visible
    from ._screen import line

    lost = f"{run.lost:,} not recorded" if run.lost else "none lost"
    if not run.tape_found:
        lost = "its tape was gone, and what was on it is lost"
    line(f"{visible(str(file))}#{visible(run.name)}: {counted(run.calls, 'call')}, {run.from_tape:,} of them from the tape; {lost}")
    for pid in run.still_running:
        line(f"    process {pid} still runs, unrecorded from now on", "yellow")
    if run.log_stays:
        line(f"    somebody is reading it, or there is no room: its newest part stays in {visible(str(file))}-wal", "yellow")
    line(f"    next: sockreel show {visible(str(file))}#{visible(run.name)}")
