"""`sockreel serve`: the timeline page over loopback, also while a recording still runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ._options import LookCommand, opened_run, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..traces import Run, Trace


@click.command("serve", cls=LookCommand)
@click.argument("reference", metavar="FILE[#RUN]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Listen here.  [default: a free port]")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
@click.option("--no-payload", is_flag=True, help="Leave out the bytes that calls moved.")
def command(reference: str, port: int, open_browser: bool, no_payload: bool) -> None:
    """Show the runs of a trace as a page, over loopback: for traces too big for one file.

    The page is that of `export --format html`; it asks for what is in view. FILE alone means all of
    its runs. A run that is still recorded grows on the page. Ends with Ctrl-C.

    \b
    Example:
      sockreel serve big.db
      sockreel serve lab.db#nonblocking --port 8080
    """
    from ..replay.page.serving import PageServer
    from ..traces import split_reference

    path, selector = split_reference(reference)
    with opened_run(reference):
        pass  # says what is wrong before there is a page

    def choose(trace: Trace) -> Sequence[Run]:
        return trace.runs() if selector is None else [trace.find_run(selector)]

    try:
        server = PageServer(path, choose, port, payload=not no_payload)
    except OSError as error:
        raise click.ClickException(f"cannot listen on 127.0.0.1:{port}: {error.strerror}") from error
    with server:
        print(server.address, flush=True)
        print(f"sockreel: {shown(path)} is served to this machine only; Ctrl-C ends it", file=sys.stderr, flush=True)
        if open_browser:
            click.launch(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("sockreel: ended", file=sys.stderr)
