"""`sockreel play`: go through a run, or two in step, in the terminal."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import click

from ._options import LookCommand, opened_run


@click.command("play", cls=LookCommand)
@click.argument("reference", metavar="FILE[#RUN]")
@click.argument("other", metavar="[OTHER[#RUN]]", required=False)
@click.option("--lang", "code", type=click.Choice(["en", "zh"]), help="The language: English or Chinese (default: that of the locale).")
@click.option("--no-payload", is_flag=True, help="Without what was said.")
def command(reference: str, other: str | None, code: str | None, no_payload: bool) -> int:
    """Go through a run call by call, forwards and backwards, or let it play.

    Shows the line of the program in execution, the program and the kernel, sockets, clients and the log of calls at any
    moment. With a second run both stand side by side, in step by the clock or by the exchange. Keys: ?

    \b
    Example:
      sockreel play lecture.db#blocking
      sockreel play lecture.db#blocking lecture.db#nonblocking
      sockreel play lecture.db --lang zh
      sockreel play --sample blocking --sample nonblocking
    """
    from ..replay.language import language, usual_language
    from ..replay.player.app import play
    from ..replay.player.deck import Reel
    from ..replay.player.state import Play
    from ..replay.reading import Reader
    from ..replay.words import visible

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("play needs a terminal; `sockreel tell` writes the run as a text")
    spoken = language(code or usual_language())
    with ExitStack() as stack:
        reels = []
        for name in (reference, *((other,) if other else ())):
            trace, run = stack.enter_context(opened_run(name))
            reels.append(Reel(Play(Reader(trace, run), spoken, payloads=not no_payload), visible(run.name)))
        return play(reels, spoken)
