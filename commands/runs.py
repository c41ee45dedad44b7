"""`sockreel runs`: what a trace holds, one line a run."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from ._options import LookCommand, lang_option, opened_run, opened_trace

if TYPE_CHECKING:
    from ..traces import Run


@click.command("runs", cls=LookCommand)
@click.argument("trace", metavar="FILE[#RUN]")
@lang_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, one object a run, times in nanoseconds.")
def command(trace: str, as_json: bool) -> None:
    """List the runs of a trace: what ran, when, how long, how many calls, how it ended.

    FILE#LABEL or FILE#ID picks one run of it. --sample alone lists the traces that came with sockreel.

    \b
    Example:
      sockreel runs lab.db
      sockreel runs lab.db --json
      sockreel runs --sample
      sockreel runs --sample --lang zh
    """
    from ..traces import split_reference

    if trace == "sample:":
        _list_samples(as_json)
        return
    file, selector = split_reference(trace)
    with opened_trace(file) as opened:
        runs = opened.runs() if selector is None else [opened.find_run(selector)]
    if as_json:
        from ._screen import print_json

        print_json([_object(run) for run in runs])
    elif runs:
        _print(runs)
    else:
        click.echo(f"{click.format_filename(file)} holds no run yet", err=True)


def _list_samples(as_json: bool) -> None:
    """Print what came with sockreel, a line each."""
    from ..replay.language import say
    from ..replay.words import duration, visible
    from ..traces import sample_names
    from ..traces.report import read_json
    from ._screen import line, print_json
    from ._table import Column, print_table

    runs = []
    for name in sorted(sample_names(), key=lambda name: (name.endswith("-reset"), name)):
        with opened_run(f"sample:{name}") as (_, run):
            runs.append((name, run))
    if as_json:
        print_json([{"sample": name, **_object(run)} for name, run in runs])
        return
    columns = [Column(say("sample")), Column(say("model")), Column(say("clients")), Column(say("duration"), right=True),
               Column(say("calls"), right=True)]
    clients = [str((read_json(run.settings, dict) or {}).get("workload", "-")) for _, run in runs]
    print_table(columns, [
        [visible(name), visible(run.model or "-"), visible(who), duration(run.duration_ns), f"{run.calls_recorded:,}"]
        for (name, run), who in zip(runs, clients, strict=True)
    ])  # fmt: skip
    line(say("look at one with --sample NAME, or as sample:NAME where a file is named: sockreel play --sample nonblocking"), "dim")


def _object(run: Run) -> dict[str, Any]:
    from dataclasses import asdict

    from ..replay.language import ENGLISH, speaking
    from ..traces.report import blind_spots, command_words, read_json

    with speaking(ENGLISH):
        ended = ending(run)
    return {
        **asdict(run), "command": command_words(run), "blind_spots": blind_spots(run),
        "settings": read_json(run.settings, dict) or {}, "ended": ended,
    }  # fmt: skip


def ending(run: Run) -> str:
    """Return how a run ended, in words."""
    from ..replay.language import say

    if run.duration_ns is None:
        return say("not ended")
    words = {
        "signal": say("killed"), "interrupt": "Ctrl-C", "terminated": "SIGTERM", "for": "--for", "max_calls": "--max-calls",
        "workload": say("clients done"), "recorder_lost": say("recovered"),
    }  # fmt: skip
    status = run.exit_status
    if status is not None and status > 128 and run.ended_by == "signal":
        return say("killed by signal {n}", n=status - 128)
    how = words.get(run.ended_by or "", run.ended_by or "exit")
    if status is None:
        return how
    return say("exit {n}", n=status) if how == "exit" else say("{how}, exit {n}", how=how, n=status)


def short_command(run: Run) -> str:
    """Return what ran as people say it: absolute paths without their folders."""
    from ..replay.words import visible
    from ..traces.report import command_words

    words = [PurePosixPath(word).name or word if word.startswith("/") else word for word in command_words(run)]
    return visible(shlex.join(words))


def _print(runs: list[Run]) -> None:
    from ..replay.blindness import spot_words
    from ..replay.language import say
    from ..replay.words import counted, duration, enumerated, visible
    from ..traces.report import blind_spots
    from ._screen import line, screen_width
    from ._table import Column, print_table

    def when(run: Run) -> str:
        return visible(run.started_at[:19].replace("T", " "))

    width = screen_width()
    if width is not None and width < 120:
        for run in runs:
            label = f" {visible(run.label)}" if run.label else ""
            line(f"#{run.id}{label}  {short_command(run)}", "bold")
            made = [say("model {model}", model=say(visible(run.model))) if run.model else "", f"Python {visible(run.python or '?')}",
                    say("core {core}", core=visible(run.core or "?")), f"{when(run)} UTC"]
            line(f"    {enumerated(made)}")
            lost = say("{n} lost", n=f"{run.calls_lost:,}") if run.calls_lost else say("none lost")
            told = enumerated([duration(run.duration_ns), counted(run.calls_recorded, "call"), lost])
            line("    " + say("{told}; {ended}", told=told, ended=visible(ending(run))))
    else:
        columns = [
            Column("id", right=True), Column(say("label"), least=8), Column(say("model"), least=8), Column(say("command"), least=16),
            Column("python"), Column(say("core")), Column(say("started (UTC)")), Column(say("duration"), right=True),
            Column(say("calls"), right=True), Column(say("lost"), right=True), Column(say("ended")),
        ]  # fmt: skip
        print_table(columns, [
            [str(run.id), visible(run.label or "-"), visible(run.model or "-"), short_command(run), visible(run.python or "-"),
             visible(run.core or "-"), when(run), duration(run.duration_ns), f"{run.calls_recorded:,}", f"{run.calls_lost:,}",
             visible(ending(run))] for run in runs
        ])  # fmt: skip
    for run in runs:
        for spot in blind_spots(run):
            line(say("#{id} could not see: {spot}", id=run.id, spot=visible(spot_words(spot))), "yellow")
