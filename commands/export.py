"""`sockreel export`: take a run elsewhere, in a format of another program."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ._formats import FORMATS, Format, Writer, format_of
from ._options import MOMENT, LookCommand, lang_option, opened_run, shown

if TYPE_CHECKING:
    from ..traces.excerpt import Excerpt


@click.command("export", cls=LookCommand)
@click.argument("references", metavar="FILE[#RUN]...", nargs=-1)
@click.option("--format", "name", type=click.Choice(list(FORMATS)), metavar="NAME", help=f"One of {', '.join(FORMATS)}.")
@click.option("-o", "--output", metavar="FILE", help="Where to; - is stdout.  [default: FILE-RUN with the format's ending]")
@click.option("-f", "--force", is_flag=True, help="Write over an existing file.")
@click.option("--from", "from_ns", type=MOMENT, help="Begin here: 1.5s, 200ms, 3us, or plain seconds since the run's start.")
@click.option("--to", "to_ns", type=MOMENT, help="End here.")
@click.option("--no-payload", is_flag=True, help="Leave out the bytes that calls moved.")
@click.option("--width", type=click.IntRange(60, 300), metavar="N", help="Columns of the terminal: asciicast.  [default: 100]")
@click.option("--height", type=click.IntRange(20, 100), metavar="N", help="Rows of the terminal: asciicast.  [default: 30]")
@lang_option
@click.option("--list", "list_formats", is_flag=True, help="Name the formats, and what they are for.")
def command(
    references: Sequence[str], name: str | None, output: str | None, force: bool, from_ns: int | None, to_ns: int | None,
    no_payload: bool, width: int | None, height: int | None, list_formats: bool,
) -> None:
    """Take a run elsewhere, in a format of another program.

    Without --format the ending of the output file decides. Some formats hold several runs.

    \b
    Example:
      sockreel export lecture.db#nonblocking --format csv
      sockreel export lecture.db -o calls.jsonl --from 1.2s --to 1.3s
      sockreel export lecture.db --format csv -o - --no-payload
      sockreel export lecture.db#blocking -o blocking.cast --width 120
      sockreel export lecture.db -o lecture.svg --lang zh
    """
    if list_formats:
        _print_formats()
        return
    if not references:
        raise click.UsageError("Name a run: FILE, FILE#LABEL or FILE#ID.")
    wanted = format_of(name, output)
    if wanted is None:
        raise click.UsageError(f"Which format? --format takes {', '.join(FORMATS)}.")
    if len(references) > 1 and not wanted.several:
        raise click.UsageError(f"{wanted.name} holds one run; {len(references)} were named.")
    writer = _sized(wanted, width, height)
    with contextlib.ExitStack() as stack:
        excerpts = [_excerpt(stack, reference, from_ns, to_ns, not no_payload) for reference in references]
        if output == "-":
            _to_stdout(wanted, writer, excerpts)
            return
        path = Path(output or _default_name(excerpts, wanted))
        refuse_existing(path, force, [excerpt.trace.path for excerpt in excerpts])
        with written_whole(path) as out:
            writer(excerpts, out)
    payload = "payloads included" if wanted.payload and not no_payload else "without payloads"
    print(f"sockreel: {shown(path)}: {wanted.about}; {payload}", file=sys.stderr)


def _sized(wanted: Format, width: int | None, height: int | None) -> Writer:
    """Return the writer of a format, with the size that was asked for."""
    size = {name: cells for name, cells in (("width", width), ("height", height)) if cells is not None}
    if size and not wanted.sized:
        raise click.UsageError(f"--{next(iter(size))} is for {', '.join(one.name for one in FORMATS.values() if one.sized)}.")
    return partial(wanted.load(), **size)


def _print_formats() -> None:
    for one in FORMATS.values():
        click.echo(f"{one.name:<10} {one.suffix:<12} {one.about}{' (several runs)' if one.several else ''}")


def _excerpt(stack: contextlib.ExitStack, reference: str, from_ns: int | None, to_ns: int | None, payload: bool) -> Excerpt:
    from ..traces.excerpt import END_OF_TIME_NS, Excerpt

    trace, run = stack.enter_context(opened_run(reference))
    start_ns, end_ns = from_ns or 0, END_OF_TIME_NS if to_ns is None else to_ns
    if start_ns >= end_ns:
        raise click.UsageError("--from must lie before --to")
    return Excerpt(trace, run, start_ns, end_ns, payload)


def _default_name(excerpts: Sequence[Excerpt], wanted: Format) -> str:
    names = [excerpt.run.name.replace(" ", "-") for excerpt in excerpts]
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in "-".join(names))
    return f"{excerpts[0].trace.path.stem}-{safe[:80]}{wanted.suffix}"


def refuse_existing(path: Path, force: bool, traces: Sequence[Path]) -> None:
    """Refuse to write over a file that is there, and over the trace itself whatever is said."""
    if not os.path.lexists(path):
        return
    if any(os.path.exists(path) and os.path.samefile(path, trace) for trace in traces):
        raise click.UsageError(f"{shown(path)} is the trace itself")
    if not force:
        raise click.ClickException(f"{shown(path)} exists; --force writes over it")


def _to_stdout(wanted: Format, writer: Writer, excerpts: Sequence[Excerpt]) -> None:
    if not wanted.text and sys.stdout.isatty():
        raise click.UsageError(f"{wanted.name} is nothing for a terminal; name a file with -o, or redirect.")
    sys.stdout.flush()
    writer(excerpts, sys.stdout.buffer)
    sys.stdout.buffer.flush()


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that gets its name once all of it is written; readable by its owner only, as traces are."""
    try:
        descriptor, private = tempfile.mkstemp(prefix=f".{path.name[:60]}.", dir=path.parent)
    except OSError as error:
        raise click.ClickException(f"{shown(path)} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
        os.replace(private, path)
    except OSError as error:
        raise click.ClickException(f"{shown(path)} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(private)
