"""The front door: lists the commands, imports none of them until it is used.

Owns the one place that turns a `SockreelError` into a line on stderr and an exit status.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from . import __version__
from .errors import SockreelError

# Command -> the one line of its help that `sockreel --help` shows; it lives in commands/NAME.py.
COMMANDS = {
    "record": "Record a program's socket calls into a trace.",
    "lab": "Run the I/O models under one workload and compare them.",
    "claims": "Judge what tutorials claim by runs made here and now.",
    "sweep": "Measure how the cost of each I/O model grows with its clients.",
    "runs": "List the runs of a trace.",
    "show": "Draw a run as lanes over time.",
    "stats": "Count calls, times and bytes per operation and outcome.",
    "compare": "Put two runs on one axis and compare what they cost.",
    "explain": "Say what is wrong with a server, and which calls prove it.",
    "figure": "Draw the I/O model of a receive as textbooks do, measured.",
    "tell": "Tell a run as a text: a sentence for each call.",
    "play": "Go through a run call by call, forwards and backwards.",
    "quiz": "Ask about a run before it is shown, with a score.",
    "packets": "List the packets of a run, with the calls that sent and read them.",
    "query": "Ask a trace in SQL, or by the name of a query.",
    "export": "Take a run elsewhere, in a format of another program.",
    "import": "Bring packets that were captured elsewhere into a trace.",
    "serve": "Show the runs of a trace as a page, over loopback.",
    "check": "Say whether a trace is whole.",
    "verify": "Record a program under strace, too, and compare.",
    "recover": "Finish a trace whose recorder died.",
    "strip": "Take payloads out of a trace, to pass it on.",
    "doctor": "Say what works on this machine, and what to do about the rest.",
}


_OF_A_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _ReaderLeft(Exception):
    """Whoever read our output has gone (`| head`)."""


class FrontDoor(click.Group):
    """A group whose commands are modules, imported when called."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; click would turn a closed pipe into exit status 1."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise _ReaderLeft from error
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f".commands.{cmd_name}", __package__).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=FrontDoor, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="sockreel")
def front_door() -> None:
    """Record what a Python server does with its sockets, and play it back.

    \b
    Example:
      sockreel record server.py
      sockreel show server-*.db
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Args:
        arguments: without the program's name.

    Returns:
        The exit status: 0, the recorded program's own, 1 failed, 2 wrong use, 125-127 could not start.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # `>&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
    try:
        status = front_door.main(list(arguments), prog_name="sockreel", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SockreelError as error:
        print(f"sockreel: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    except _ReaderLeft:
        _give_stdout_up()  # nothing is wrong
        return 0
    except OSError as error:
        # What stands in the way of every command: a full disk below stdout, a working directory that is gone.
        print(f"sockreel: {SockreelError(_without_number(error))}", file=sys.stderr)
        _give_stdout_up()
        return 125 if list(arguments[:1]) == ["record"] else 1
    return status if isinstance(status, int) else 0


def _without_number(error: OSError) -> str:
    said = error.strerror or str(error) or type(error).__name__
    if isinstance(error.filename, str | bytes):
        return f"{os.fsdecode(error.filename)}: {said}"
    try:
        os.getcwd()
    except OSError:
        return f"the working directory is gone: {said}"
    return f"what there is to say cannot be written: {said}" if error.errno in _OF_A_FULL_DISK else said


def _give_stdout_up() -> None:
    """Send nowhere what stdout still holds: Python flushes it once more at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        pass  # stdout is closed, or is no file
