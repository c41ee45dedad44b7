"""`sockreel sweep`: how the cost of each I/O model grows with its clients."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._options import MOMENT, look_options, opened_trace, put, put_json, screen_look, shown
from ._recording import default_output, speaker

if TYPE_CHECKING:
    from ..recorder.models import Server
    from ..recorder.session import Settings
    from ..recorder.sweep import Active
    from ..replay.growth import Measure

_INTERRUPTED = 130
DEFAULT_MODELS = "blocking,blocking_threads,nonblocking,select,poll,epoll_level"


@click.command("sweep")
@click.option("--models", default=DEFAULT_MODELS, show_default=True, metavar="LIST",
              help="Which servers: all, or some of those that `lab --models list` names.")
@click.option("--clients", "counts", default="1,10,100,1000,10000", show_default=True, metavar="LIST",
              help="How many clients, all in all.")
@click.option("--active", "active_text", default="1", show_default=True, metavar="N|SHARE",
              help="How many of them talk (1), or which share (10%); the others connect and say nothing.")
@click.option("--repeat", type=click.IntRange(1, 100), metavar="N",
              help="Measure each point so often.  [default: 3; 2 where it takes long]")
@click.option("--for", "for_ns", type=MOMENT, default="300ms", show_default=True, metavar="TIME",
              help="How long they talk at each point.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="The trace.  [default: sweep-YYYYmmdd-HHMMSS.db]")
@click.option("-f", "--force", is_flag=True, help="Write over an existing file.")
@click.option("--read", "earlier", type=click.Path(path_type=Path), metavar="FILE",
              help="Show what an earlier sweep measured; runs nothing.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw the pictures into this file, too.")
@look_options
@click.option("--json", "as_json", is_flag=True, help="Print all that was measured as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
def command(
    models: str, counts: str, active_text: str, repeat: int | None, for_ns: int, output: Path | None, force: bool, earlier: Path | None,
    svg: Path | None, width: int | None, as_json: bool, quiet: bool,
) -> None:
    """Measure how the cost of each I/O model grows with its clients.

    At each point one client (or --active) asks again and again, and all others are connected and say
    nothing. A server that cannot go on is shown as ending there, with the reason. All runs go into
    one trace, labelled MODEL/CLIENTS/REPEAT.

    \b
    Example:
      sockreel sweep
      sockreel sweep --clients 1,10,100 --models nonblocking,epoll_level
      sockreel sweep --active 10% --svg growth.svg
      sockreel sweep --read sweep.db --json
    """
    interrupted = False
    if earlier is None:
        trace = output or default_output("sweep")
        interrupted = _run(models, counts, active_text, repeat, for_ns, trace, force, quiet or as_json)
    if not interrupted or trace.exists():
        _show(earlier or trace, svg, width, as_json)
    if earlier is None and not quiet:
        print(f"sockreel: the runs are in {shown(trace)} (no payloads in it); next: sockreel runs {shown(trace)}", file=sys.stderr)
    if interrupted:
        click.get_current_context().exit(_INTERRUPTED)


def _run(models: str, counts: str, active_text: str, repeat: int | None, for_ns: int, trace: Path, force: bool, quiet: bool) -> bool:
    """Measure; return whether it was interrupted."""
    from ..recorder.models import able, choose
    from ..recorder.session import Settings
    from ..recorder.sweep import SweepError, raise_limits, read_active, read_clients

    say = speaker(quiet)
    if not 0 < for_ns <= 60_000_000_000:
        raise SweepError("--for: more than nothing, at most a minute")
    clients, active = read_clients(counts), read_active(active_text)
    servers = able(choose(None if models == "all" else models), say)
    clients, forbidden = raise_limits(clients)
    for line in forbidden:
        say(line)
    base = Settings(output=trace, existing="replace" if force else "refuse", gives_way=True)
    began_s, runs = time.monotonic(), 0
    interrupted = False
    try:
        for found in _points(servers, clients, active, repeat, for_ns, base):
            say(_point_words(found))
            runs += len(found)
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted: what was measured so far is shown")
    used_s = sum(sum(resource.getrusage(whose)[:2]) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    say(f"{runs} runs in {time.monotonic() - began_s:.0f} s, with {used_s:.0f} s of CPU")
    return interrupted


def _points(
    servers: Sequence[Server], clients: Sequence[int], active: Active, repeat: int | None, for_ns: int, base: Settings,
) -> Iterator[list[Measure]]:
    """Measure every point, and yield its repeats; a server that ended is not tried with more clients."""
    from ..recorder.sweep import Point, is_enough, run_point
    from ..replay.growth import measure

    ended: set[str] = set()
    for count in clients:
        for server in servers:
            found: list[Measure] = []
            began_s = time.monotonic()
            while server.name not in ended and not is_enough(len(found), time.monotonic() - began_s, repeat):
                result = run_point(Point(server, count, active.of(count), len(found) + 1), for_ns, base)
                base = replace(base, existing="append")
                if result.ended_by in ("interrupt", "terminated"):
                    raise KeyboardInterrupt
                with opened_trace(base.output) as trace:
                    measured = measure(trace, trace.find_run(str(result.run_id)))
                assert measured is not None
                found.append(measured)
                if measured.ended:
                    ended.add(server.name)
            if found:
                yield found


def _point_words(found: Sequence[Measure]) -> str:
    from ..replay.growth import METRICS, Curve
    from ..replay.terminal_growth import end_words, value_words

    curve = Curve(found[0].server, tuple(found))
    spots = curve.spots(METRICS[0])
    cost = f"{value_words(spots[0].median, 'ns')} of CPU per exchange" if spots else ""
    return f"{curve.server:<18}{found[0].clients:>7,} clients  {cost}{'; ' if cost and curve.end else ''}{end_words(curve)}"


def _show(path: Path, svg: Path | None, width: int | None, as_json: bool) -> None:
    from ..replay.growth import curves_of, growth_json, measures_of
    from ..replay.terminal_growth import draw_growth

    with opened_trace(path) as trace:
        curves = curves_of(measures_of(trace))
    if not curves:
        raise click.ClickException(f"{shown(path)} holds no sweep: `sockreel sweep` makes one")
    if svg is not None:
        from ..replay.exports.growth import growth_svg

        svg.write_text(growth_svg(curves), encoding="utf-8")
    if as_json:
        put_json(growth_json(curves))
    else:
        put(draw_growth(curves, screen_look(width, click.get_current_context().color)))
