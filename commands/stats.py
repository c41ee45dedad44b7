"""`sockreel stats`: where a run's calls and time went, in the manner of `strace -c`."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import click

from ._options import LookCommand, lang_option, opened_trace

if TYPE_CHECKING:
    from ..replay import CpuSplit, RunModel
    from ..traces.report import Statistics, Tally

KEYS = ["time", "calls", "min", "median", "p99", "max", "bytes", "operation", "outcome"]


@click.command("stats", cls=LookCommand)
@click.argument("trace", metavar="FILE[#RUN]")
@click.option("--sort", "key", type=click.Choice(KEYS), default="time", show_default=True, help="Column to sort by.")
@click.option("--by", "by", type=click.Choice(["process"]), help="Keep the processes of the run apart.")
@click.option("--phases", is_flag=True, help="Tell the wait of receives from their wake-up and copy; reads all calls.")
@lang_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, times in nanoseconds.")
def command(trace: str, key: str, by: str | None, phases: bool, as_json: bool) -> None:
    """Count a run's calls, their time and bytes, per operation and outcome.

    FILE alone means its last run; FILE#LABEL or FILE#ID names one. time is the wall time spent in the calls, waiting
    included; median and p99 are within 4 %. Fruitless is a call that came back with nothing (BlockingIOError,
    or a wait with timeout 0 that found nothing).

    \b
    Example:
      sockreel stats lab.db#nonblocking
      sockreel stats lab.db#blocking --sort calls
      sockreel stats lab.db --by process --json
      sockreel stats lab.db#blocking --phases
      sockreel stats lab.db#blocking --lang zh
    """
    from ..replay import load_cpu, load_model
    from ..traces import split_reference
    from ..traces.phased import phased
    from ..traces.report import sort_tallies, statistics

    file, selector = split_reference(trace)
    with opened_trace(file) as opened:
        run = opened.find_run(selector)
        figures = statistics(opened, run, by_process=by == "process")
        model = load_model(opened, run)
        split = load_cpu(opened, run)
        found = phased(opened, run) if phases else []
    tallies = sort_tallies(figures.tallies, key)
    if as_json:
        from ._screen import print_json

        told = {"phases": [asdict(row) for row in found]} if phases else {}
        print_json(_object(figures, tallies, model, split) | told)
        return
    _print(figures, tallies, model, split)
    if phases:
        from ._phases import print_phases

        print_phases(found)


def _object(figures: Statistics, tallies: list[Tally], model: RunModel, split: CpuSplit) -> dict[str, Any]:
    from ..replay import model_json
    from ..traces.report import blind_spots

    def plain(tally: Tally) -> dict[str, Any]:
        return {key: value for key, value in asdict(tally).items() if key != "pid" or value is not None}

    total = {key: value for key, value in plain(figures.total).items() if key not in ("operation", "outcome")}
    return {
        "run": figures.run.id,
        "label": figures.run.label,
        "duration_ns": figures.run.duration_ns,
        "calls_lost": figures.run.calls_lost,
        "rows": [plain(tally) for tally in tallies],
        "total": total,
        "fruitless_calls": figures.fruitless,
        "fruitless_share": figures.fruitless_share,
        "cpu_ns": None if figures.cpu_ns is None else figures.cpu_ns + split.unsampled_ns,
        "cpu_split": asdict(split),
        "model": model_json(model),
        "processes": [asdict(process) for process in figures.processes],
        "signals": [{"signal": signal, "via": via, "count": count} for signal, via, count in figures.signals],
        "unfinished_calls": figures.unfinished_calls,
        "unfinished": [asdict(call) for call in figures.unfinished],
        "blind_spots": blind_spots(figures.run),
    }


def _print(figures: Statistics, tallies: list[Tally], model: RunModel, split: CpuSplit) -> None:
    from ..replay.language import say
    from ..replay.words import duration, enumerated, model_words, visible
    from ._screen import fact, line, screen_width
    from ._table import Column, print_table
    from .runs import short_command

    run = figures.run
    took = duration(run.duration_ns) if run.duration_ns is not None else say("not ended")
    line(f"#{run.id}{f' {visible(run.label)}' if run.label else ''}  {enumerated([short_command(run), took])}", "bold")
    if not figures.total.calls:
        line(say("no socket call was recorded"))
        _print_notes(figures, split)
        return
    width = screen_width()
    with_share = width is None or width >= 100
    with_pid = any(tally.pid is not None for tally in tallies)
    columns = [
        *([Column("pid", right=True)] if with_pid else []), Column(say("operation"), least=8), Column(say("outcome"), least=8),
        Column(say("calls"), right=True), Column(say("time"), right=True), *([Column(say("share"), right=True)] if with_share else []),
        *(Column(name, right=True) for name in say("min, median, p99, max, bytes").split(", ")),
    ]  # fmt: skip

    def cells(tally: Tally) -> list[str]:
        share = f"{100 * tally.total_ns / figures.total.total_ns:.1f} %" if figures.total.total_ns and tally.max_ns is not None else "-"
        return [
            *([str(tally.pid if tally.pid is not None else "")] if with_pid else []),
            say("total") if tally is figures.total else visible(tally.operation), visible(tally.outcome),
            f"{tally.calls:,}", duration(None if tally.max_ns is None else tally.total_ns), *([share] if with_share else []),
            *(duration(value) for value in (tally.min_ns, tally.median_ns, tally.p99_ns, tally.max_ns)), _moved(tally.bytes),
        ]  # fmt: skip

    line()
    print_table(columns, map(cells, tallies), footer=cells(figures.total))
    line()
    fact(say("fruitless"), _fruitless(figures))
    if model.model != "unknown":
        for name, part in zip((say("model"), ""), re.split("; |；", model_words(model)), strict=False):
            fact(name, part)
    _print_notes(figures, split)


def _moved(moved_bytes: int) -> str:
    from ..replay.words import size

    return size(moved_bytes) if moved_bytes else "-"


def _fruitless(figures: Statistics) -> str:
    from ..replay.language import say
    from ..replay.words import counted, percent

    n, calls = f"{figures.fruitless:,}", counted(figures.total.calls, "call")
    if not figures.fruitless:
        return say("{n} of {calls}", n=n, calls=calls)
    return say("{n} of {calls} ({share}) came back with nothing", n=n, calls=calls, share=percent(figures.fruitless_share))


def _print_notes(figures: Statistics, split: CpuSplit) -> None:
    from ..replay import cpu_words
    from ..replay.blindness import spot_words
    from ..replay.language import say
    from ..replay.words import counted, enumerated, size, visible
    from ..traces.report import blind_spots
    from ._screen import fact

    run = figures.run
    if figures.cpu_ns is not None:
        _print_cpu(figures, split, figures.cpu_ns + split.unsampled_ns)
        rss = max((process.rss_bytes or 0 for process in figures.processes), default=0)
        if rss:
            fact(say("memory"), say("{size} at most", size=size(rss)))
    elif figures.total.calls:
        for name, part in zip_longest((say("CPU"),), cpu_words(split), fillvalue=""):
            fact(name, part)
    if figures.signals:
        told = [say("{signal} {n} ({via})", signal=visible(signal), n=f"{count:,}", via=visible(via))
                for signal, via, count in figures.signals[:12]]
        fact(say("signals"), enumerated(told))
    if run.calls_lost:
        fact(say("lost"), say("{calls} happened and could not be recorded", calls=counted(run.calls_lost, "call")), "red")
    if figures.unfinished_calls:
        _print_unfinished(figures)
    for spot in blind_spots(run):
        fact(say("not seen"), visible(spot_words(spot)), "yellow")


def _print_cpu(figures: Statistics, split: CpuSplit, cpu_ns: int) -> None:
    from ..replay import cpu_words
    from ..replay.language import say, wrapped
    from ..replay.words import duration, enumerated, percent
    from ._screen import FACT, fact, screen_width

    run, time = figures.run, duration(cpu_ns)
    if run.duration_ns:
        time = say("{time}, {share} of one processor", time=time, share=percent(cpu_ns / run.duration_ns))
    fact(say("CPU"), time)
    user = [process.user_ns for process in figures.processes if process.user_ns is not None]
    system = [process.system_ns for process in figures.processes if process.system_ns is not None]
    parts = [*([say("user {time}", time=duration(sum(user)))] if user else []),
             *([say("system {time}", time=duration(sum(system)))] if system else [])]
    if parts:
        fact("", say("{times} (counted in steps of 10 ms)", times=enumerated(parts)))
    if figures.total.calls:
        since = say("since the first listen: ") if split.from_listen else ""
        for before, part in zip_longest((since,), cpu_words(split), fillvalue=""):
            for number, piece in enumerate(wrapped(f"{before}{part}", (screen_width() or 1_000) - FACT - 2)):
                fact("", f"{'  ' if number else ''}{piece}")


def _print_unfinished(figures: Statistics) -> None:
    from ..replay.language import say
    from ..replay.words import counted, duration, visible
    from ._screen import fact

    fact(say("unfinished"), say("{calls} had not returned at the end:", calls=counted(figures.unfinished_calls, "call")))
    for call in figures.unfinished:
        where = (f" fd {call.fd}" if call.fd is not None else "") + (f" ({visible(call.peer)})" if call.peer else "")
        fact("", say("{operation} on{where} in {thread}, since {time}" if where else "{operation} in {thread}, since {time}",
                     operation=call.operation, where=where, thread=visible(call.thread), time=duration(call.started_ns))
             + (f", {visible(call.site)}" if call.site else ""))
    if figures.unfinished_calls > len(figures.unfinished):
        fact("", say("and {n} more", n=f"{figures.unfinished_calls - len(figures.unfinished):,}"))
