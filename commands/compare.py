"""`sockreel compare`: put runs on one axis and compare what they cost."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ._options import LookCommand, lang_option, look_options, opened_trace, put, put_json, screen_look, shown

if TYPE_CHECKING:
    from ..traces import Run, Trace


@click.command("compare", cls=LookCommand)
@click.argument("references", metavar="FILE[#RUN]...", nargs=-1, required=True)
@click.option("--align", type=click.Choice(["exchange", "clock"]), default="exchange", show_default=True,
              help="Put the first exchange that the runs share at one place, or their starts.")
@look_options
@lang_option
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page of these runs, too.")
@click.option("-f", "--force", is_flag=True, help="Write the page over an existing file.")
@click.option("--no-payload", is_flag=True, help="Leave the bytes that calls moved out of the page.")
@click.option("--json", "as_json", is_flag=True, help="Print the table, the waits, the sentences and all lanes as JSON.")
def command(
    references: Sequence[str], align: Literal["exchange", "clock"], width: int | None, html: Path | None, force: bool, no_payload: bool,
    as_json: bool,
) -> None:
    """Put runs on one axis and compare what they cost.

    Draws the lanes above each other, the phases of each run (waiting for data, copying it), then a
    table, then in words: who was blocked in which call for how long, how many calls did nothing,
    who waited for whom, and what it cost. One file alone means all of its runs.

    \b
    Example:
      sockreel compare lecture.db
      sockreel compare lecture.db#blocking lecture.db#nonblocking --align clock
      sockreel compare lecture.db --html lecture.html
      sockreel compare lecture.db --lang zh
    """
    if html is not None:
        write_page(html, references, force, payload=not no_payload)
    print_comparison(click.get_current_context(), references, align, width, as_json)


def write_page(path: Path, references: Sequence[str], force: bool, *, payload: bool) -> None:
    """Write the page of some runs, whole or not at all, and say so on stderr.

    Args:
        path: the file.
        references: as for `print_comparison`.
        force: write over an existing file.
        payload: whether the bytes that calls moved may be in it.

    Raises:
        TraceError: a trace that cannot be read.
        ReplayError: there are fewer than two runs.
        click.ClickException: the file cannot be written, or is there.
    """
    from ..replay.page.html import write_html
    from ..traces.excerpt import Excerpt
    from .export import refuse_existing, written_whole

    with ExitStack() as stack:
        chosen = _chosen(references, stack)
        refuse_existing(path, force, [trace.path for trace, _ in chosen])
        with written_whole(path) as out:
            write_html([Excerpt(trace, run, payload=payload) for trace, run in chosen], out)
    print(f"sockreel: {shown(path)}: the page; {'payloads included' if payload else 'without payloads'}", file=sys.stderr)


def print_comparison(
    ctx: click.Context, references: Sequence[str], align: Literal["exchange", "clock"] = "exchange", width: int | None = None,
    as_json: bool = False,
) -> None:
    """Print the comparison of runs: what other commands end with, too.

    Args:
        ctx: of the command that prints, whose `color` forces or forbids colours if set.
        references: FILE, FILE#LABEL or FILE#ID; one FILE alone means all of its runs.
        align, width, as_json: as the options of `sockreel compare`.

    Raises:
        TraceError: a trace that cannot be read.
        ReplayError: there are fewer than two runs.
    """
    from ..replay import compare_stories, comparison_json, load_story, render_compare
    from ..traces import called

    with ExitStack() as stack:
        chosen = _chosen(references, stack)
        look = screen_look(width, ctx.color)
        stories = [load_story(trace, run, resolution=look.width, max_sockets=8, max_threads=8, requests=True) for trace, run in chosen]
        names = [run.name for _, run in chosen]
        titles = [run.name if names.count(run.name) == 1 else f"{called(trace.path, short=True)}#{run.label or run.id}"
                  for trace, run in chosen]
        comparison = compare_stories(stories, titles, align)
        if as_json:
            put_json(comparison_json(comparison))
        else:
            put(render_compare(comparison, look))


def _chosen(references: Sequence[str], stack: ExitStack) -> list[tuple[Trace, Run]]:
    """Open every trace once and return the runs that are meant; the stack closes them."""
    from ..replay import ReplayError
    from ..traces import split_reference

    traces: dict[str, Trace] = {}
    chosen = []
    for reference in references:
        path, selector = split_reference(reference)
        if str(path) not in traces:
            traces[str(path)] = stack.enter_context(opened_trace(path))
        trace = traces[str(path)]
        if len(references) == 1 and selector is None:
            chosen = [(trace, run) for run in trace.runs()] or [(trace, trace.find_run())]
        else:
            chosen.append((trace, trace.find_run(selector)))
    if len(chosen) < 2:
        raise ReplayError(f"{references[0]} is one run only: name another one to compare it with, or use `sockreel show`")
    return chosen
