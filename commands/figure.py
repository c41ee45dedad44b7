"""`sockreel figure`: Stevens' picture of an I/O model, drawn from a measured receive."""

from __future__ import annotations

from pathlib import Path

import click

from ._options import LookCommand, look_options, opened_run, put, reference_argument, screen_look, shown


@click.command("figure", cls=LookCommand)
@reference_argument
@click.option("--call", "call_id", type=click.IntRange(1), metavar="ID", help="Of this call: a receive, a poll or wait that led to one.")
@click.option("--exchange", type=click.IntRange(1), metavar="N", help="Of the run's N-th exchange, in the order of time.")
@click.option("--svg", "svg_path", type=click.Path(dir_okay=False, path_type=Path), help="Write it as SVG to a file (- is stdout).")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="English or Chinese labels.")
@click.option("--no-payload", is_flag=True, help="Without the data that came.")
@look_options
def command(
    reference: str, call_id: int | None, exchange: int | None, svg_path: Path | None, lang: str, no_payload: bool, width: int | None,
) -> None:
    """Draw the I/O model of a receive as textbooks do, with measured times.

    Program on one side, kernel on the other, and the two phases between them: waiting for data, and copying it
    (UNIX Network Programming, figures 6.1 to 6.5). Which figure it is follows from the calls. Without --call and
    --exchange it is a receive that waited long. A moment that was not measured is drawn as unknown.

    \b
    Example:
      sockreel figure lab.db#nonblocking
      sockreel figure lab.db#select --exchange 2 --lang zh
      sockreel figure lab.db#blocking --call 5 --svg blocking.svg --no-payload
    """
    from ..replay.figure_shapes import draw_up
    from ..replay.receive import load_receive
    from ..replay.terminal_figure import render_figure

    if call_id is not None and exchange is not None:
        raise click.UsageError("--call and --exchange name two different things: take one")
    with opened_run(reference) as (trace, run):
        figure = draw_up(load_receive(trace, run, call_id, exchange))
    if svg_path is None:
        put(render_figure(figure, screen_look(width), lang, not no_payload))
        return
    from ..replay.svg_figure import svg_figure

    text = svg_figure(figure, lang, not no_payload)
    if str(svg_path) == "-":
        put(text)
        return
    try:
        svg_path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {shown(svg_path)}: {error.strerror}") from error
    click.echo(f"sockreel: the figure is in {shown(svg_path)}", err=True)
