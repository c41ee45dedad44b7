"""What `record` and `lab` share where packets are captured: their options, and how what came of it is said.

Owns those words. Knows nothing of how packets are captured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ._options import SIZE

if TYPE_CHECKING:
    from ..recorder.settings import Result

_Function = TypeVar("_Function", bound=Callable[..., Any])


def packet_options(function: _Function) -> _Function:
    """Add --packets, --packet-buffer and --isolate to a command."""
    for option in (
        click.option("--isolate", is_flag=True, help="Run all of it in a network of its own, in which --packets needs no rights."),
        click.option("--packet-buffer", type=SIZE, default="64M", show_default=True, metavar="SIZE",
                     help="Memory for packets that were captured and not read yet."),
        click.option("--packets", is_flag=True, help="Capture the packets of the program's sockets, too: as root, or with --isolate."),
    ):  # fmt: skip
        function = option(function)
    return function


def isolate(say: Callable[[str], None]) -> None:
    """Move into a network of our own, and say how another terminal joins it.

    Raises:
        IsolationError: this machine forbids it.
    """
    from ..recorder.launching.isolation import enter

    say(f"a network of its own, nothing in it but loopback; from another terminal: {enter()} COMMAND")


def packets_said(result: Result) -> str:
    """Return what the last line says of packets, with a comma before it; nothing where nobody asked for them."""
    if result.packets is None:
        return ""
    lost = f"{result.packets_lost:,} lost" if result.packets_lost else "none lost"
    return f", {result.packets:,} packets ({lost})"
