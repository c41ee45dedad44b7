"""What `record` and `lab` share where something is recorded: options, settings, and what is said of it in the end.

Owns those words. Knows nothing of how calls are recorded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ._options import SIZE, shown

if TYPE_CHECKING:
    from ..recorder.settings import Settings

_Function = TypeVar("_Function", bound=Callable[..., Any])


def recording_options(function: _Function) -> _Function:
    """Add -f, --payload, --kernel-times, --fold and --max-size to a command."""
    for option in (
        click.option("--max-size", type=SIZE, default="2G", show_default=True, metavar="SIZE",
                     help="From this size of the trace on, fold: bytes, or with K, M, G."),
        click.option("--fold", is_flag=True, help="Of calls in a row that found nothing, keep the first and last 16 and count the others."),
        click.option("--kernel-times", is_flag=True,
                     help="Ask the kernel when what a receive returned had arrived: the two phases of each."),
        click.option("--payload", type=click.IntRange(0, 16 << 20), default=256, show_default=True, metavar="BYTES",
                     help="Keep the first BYTES of what each call moved; 0 keeps none."),
        click.option("-f", "--force", is_flag=True, help="Write over an existing file."),
    ):  # fmt: skip
        function = option(function)
    return function


def base_settings(output: Path, options: dict[str, Any]) -> Settings:
    """Return what the shared options ask for."""
    from ..recorder.settings import Settings

    return Settings(
        output=output,
        existing="replace" if options["force"] else "refuse",
        payload_bytes=options["payload"],
        fold=options["fold"],
        max_size_bytes=options["max_size"],
        kernel_times=options["kernel_times"],
        packets=options["packets"],
        packet_ring_bytes=options["packet_buffer"],
        gives_way=True,
    )


def default_output(name: str) -> Path:
    """Return NAME-YYYYmmdd-HHMMSS.db, in the current directory."""
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name).lstrip(".-") or "run"
    return Path(f"{safe}-{time.strftime('%Y%m%d-%H%M%S')}.db")


def speaker(quiet: bool) -> Callable[[str], None]:
    """Return what says a line to the user while something is recorded: on stderr, nothing in it that drives a terminal."""

    def say(line: str) -> None:
        if not quiet:
            print(f"sockreel: {shown(line)}", file=sys.stderr, flush=True)

    return say


def calls_said(calls: int) -> str:
    """Return how many calls were recorded."""
    return f"{calls:,} call{'' if calls == 1 else 's'}"


def payloads_said(payload_bytes: int) -> str:
    """Return what the last line says of payloads."""
    return f"the first {payload_bytes} bytes of payloads are in it" if payload_bytes else "no payloads in it"
