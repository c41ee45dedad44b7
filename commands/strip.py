"""`sockreel strip`: take what was said out of a trace."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ._options import shown


@click.command("strip")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write it here, and leave the trace as it is.")
@click.option("-f", "--force", is_flag=True, help="Write over an existing file.")
def command(file: str, output: Path | None, force: bool) -> None:
    """Take payloads out of a trace, to pass it on: what calls moved, and what packets carried.

    Sizes, times, addresses and packets' headers stay, and so do the program's source and its command line. A new file is
    written without them and takes the trace's place once it is whole. A trace that is still being recorded is refused.

    \b
    Example:
      sockreel strip lecture.db
      sockreel strip lecture.db -o to-hand-out.db
    """
    from ..recorder.capture.wire import headers_of
    from ..replay.words import counted
    from ..traces import split_reference
    from ..traces.stripping import strip_trace
    from .export import refuse_existing

    path, selector = split_reference(file)
    if selector is not None:
        raise click.UsageError("strip takes whole files: all runs of one, so name it without #RUN")
    if output is not None:
        refuse_existing(output, force, [path])
    found = strip_trace(path, output, headers_of)
    parts = []
    if found.payloads:
        parts.append(f"the payloads of {counted(found.payloads, 'call')} ({found.payload_bytes:,} bytes)")
    if found.packets:
        parts.append(f"the contents of {counted(found.packets, 'packet')} ({found.packet_bytes:,} bytes)")
    gone = f"{' and '.join(parts)} are not in it any more" if parts else "it held no payloads"
    print(f"sockreel: {shown(output or path)}: {gone}; sizes, times, addresses and the program's source stay", file=sys.stderr)
    if found.left_out:
        print(f"sockreel: left out, not of the trace format: {', '.join(map(str, found.left_out))!s}", file=sys.stderr)
