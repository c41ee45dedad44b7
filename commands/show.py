"""`sockreel show`: draw a run as lanes over time."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ._options import MOMENT, LookCommand, lang_option, look_options, opened_run, put, put_json, reference_argument, screen_look, window_of

FEW_LINES = 30


@click.command("show", cls=LookCommand)
@reference_argument
@click.option("--from", "from_ns", type=MOMENT, help="Begin here: 1.5s, 200ms, 3us, or plain seconds since the run's start.")
@click.option("--to", "to_ns", type=MOMENT, help="End here.")
@click.option("--socket", "sockets", multiple=True, metavar="ID|fd=N", help="Only this socket: its id in the trace, or fd=N.")
@click.option("--thread", "threads", multiple=True, metavar="ID|NAME", help="Only this thread: its id in the trace, or its name.")
@click.option("--calls", is_flag=True, help="List the calls, one line each; fruitless ones in a row share one.")
@click.option("--failed", is_flag=True, help="List only the calls that failed.")
@click.option("--operation", "operations", multiple=True, metavar="NAME", help="List only these operations, e.g. accept.")
@click.option("--internal", is_flag=True, help="With the sockets that an event loop makes to wake itself (asyncio's self-pipe).")
@click.option("--lines", type=click.IntRange(1), default=1_000, show_default=True, help="List at most so many lines.")
@click.option("--no-payload", is_flag=True, help="Without the bytes that calls moved.")
@look_options
@lang_option
@click.option("--json", "as_json", is_flag=True, help="Print lanes, spans and exchanges as JSON.")
def command(
    reference: str, from_ns: int | None, to_ns: int | None, sockets: Sequence[str], threads: Sequence[str], calls: bool, failed: bool,
    operations: Sequence[str], internal: bool, lines: int, no_payload: bool, width: int | None,
    as_json: bool,
) -> None:
    """Draw a run as lanes over time.

    One lane per thread, per socket and per client: where it was blocked in a call, where it polled
    for nothing, where data moved, what never returned. Where time is narrow, the calls are listed,
    and the signals that came between them.

    \b
    Example:
      sockreel show lecture.db#blocking
      sockreel show lecture.db --from 1.2s --to 1.3s --calls
      sockreel show lecture.db --socket fd=5 --failed
      sockreel show aio.db --calls --internal
      sockreel show lecture.db --lang zh
    """
    from ..replay import end_of_run, find_sockets, find_threads, load_listing, load_story, render_show, story_json
    from ..traces import called

    with opened_run(reference) as (trace, run):
        look = screen_look(width)
        window = window_of(from_ns, to_ns, end_of_run(trace, run))
        only_sockets = find_sockets(trace, run, sockets) if sockets else None
        only_threads = find_threads(trace, run, threads) if threads else None
        story = load_story(trace, run, window, resolution=look.width, sockets=only_sockets, threads=only_threads, internal=internal)
        if as_json:
            put_json(story_json(story))
            return
        listing = None
        listed = calls or failed or bool(operations)
        # Where time is narrow enough, the calls say more than the lanes.
        if listed or sum(sum(lane.calls) for lane in story.threads) <= 5_000:
            listing = load_listing(
                trace, run, story.window, failed=failed, operations=operations or None, sockets=only_sockets, threads=only_threads,
                lines=lines if listed else FEW_LINES + 1, payloads=not no_payload, internal=internal)
            if not listed and not 0 < len(listing.entries) <= FEW_LINES:
                listing = None
        put(render_show(story, listing, look, called(trace.path)))
