"""What the drawing commands share: naming a run, times on the command line, and what the screen can show.

Owns how options are read and where text goes. Knows nothing of what is drawn.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pathlib import Path

    from ..replay import Look, Window
    from ..traces import Run, Trace

Function = TypeVar("Function", bound=Callable[..., Any])

REDIRECTED_COLUMNS = 100
_UNITS_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000, "m": 60_000_000_000,
             "h": 3_600_000_000_000}
_TIME = re.compile(r"\s*([+]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,2})?)\s*([a-zµ]*)\s*", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZE = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([KMG]?)(?:i?B)?\s*", re.IGNORECASE | re.ASCII)
# Signs that our pictures are made of: a screen that has none of them gets ASCII.
_SIGNS = "━┃╍░▒▓●▪─├┤┼○✗▶≈✓┬µ…·×▁▂▃▄▅▆▇█│┊◀╮╯≥"


class Moment(click.ParamType[int]):
    """A time since the run's start: 1.5s, 200ms, 3us, or plain seconds. Becomes nanoseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return nanoseconds."""
        if isinstance(value, int):
            return value
        found = _TIME.fullmatch(str(value))
        unit_ns = _UNITS_NS.get(found.group(2).lower() or "s") if found else None
        if found is None or unit_ns is None:
            self.fail(f"{value!r} is no time: write 1.5s, 200ms, 3us, or plain seconds", param, ctx)
        number = float(found.group(1)) * unit_ns
        if number > 2**62:
            self.fail(f"{value!r} is longer than any run", param, ctx)
        return round(number)


MOMENT = Moment()


class Size(click.ParamType[int]):
    """A size: 500M, 2G, 64K, or plain bytes. Becomes bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value))
        if found is None or not 0 < float(found.group(1)) * (unit := _SIZE_UNITS[found.group(2).upper()]) < 2**62:
            self.fail(f"{value!r} is no size: write 500M, 2G, 64K, or plain bytes", param, ctx)
        return max(1, round(float(found.group(1)) * unit))


SIZE = Size()


class LookCommand(click.Command):
    """A command that looks at a trace: `--sample NAME` stands for the name of a trace that came with sockreel."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        says = "Look at a trace that came with sockreel; `sockreel runs --sample` lists them."
        self.params.append(click.Option(["--sample"], metavar="NAME", expose_value=False, multiple=True, help=says))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `sample:NAME` where a file would have been named: in front of the other arguments."""
        return super().parse_args(ctx, _with_samples(args))


def _with_samples(args: list[str]) -> list[str]:
    """Return a command line with `--sample NAME` as the arguments that it stands for; without a NAME, it asks for their list."""
    samples, rest, waiting = [], [], list(args)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest += [word, *waiting]
            break
        if word == "--sample":
            samples.append(waiting.pop(0) if waiting and not waiting[0].startswith("-") else "")
        elif word.startswith("--sample="):
            samples.append(word.partition("=")[2])
        else:
            rest.append(word)
    return [f"sample:{name}" for name in samples] + rest


def reference_argument(function: Function) -> Function:
    """Add the argument REFERENCE: FILE (its only or last run), FILE#LABEL or FILE#ID."""
    return click.argument("reference", metavar="FILE[#RUN]")(function)


def look_options(function: Function) -> Function:
    """Add --width."""
    return click.option("--width", type=click.IntRange(40, 1_000), help="Columns to draw in (default: those of the terminal).")(function)


def lang_option(function: Function) -> Function:
    """Add --lang, in which the command then speaks: English or Chinese; names of operations and outcomes are never translated."""
    from functools import wraps

    @click.option("--lang", "code", type=click.Choice(["en", "zh"]), help="The language: English or Chinese (default: that of the locale).")
    @wraps(function)
    def spoken(*arguments: Any, code: str | None, **named: Any) -> Any:
        from ..replay.language import speaking, usual_language

        with speaking(code or usual_language()):
            return function(*arguments, **named)

    return spoken  # type: ignore[return-value]


@contextmanager
def opened_run(reference: str) -> Iterator[tuple[Trace, Run]]:
    """Open the trace that a reference names and find the run; closes the trace.

    Raises:
        TraceError: no such file, no trace, no such run.
    """
    from ..traces import split_reference

    path, selector = split_reference(reference)
    with opened_trace(path) as trace:
        yield trace, trace.find_run(selector)


def opened_trace(path: Path) -> Trace:
    """Open a trace for reading, with a word on stderr where a run in it waits to be recovered.

    Raises:
        TraceError: no such file, no trace.
    """
    from ..traces import TraceError, open_trace
    from ..traces.recovery import lost_runs

    trace = open_trace(path)
    try:
        lost = lost_runs(trace)
    except TraceError:
        return trace  # whoever reads further says what is wrong
    if lost:
        print(f"sockreel: unfinished, its recorder died: sockreel recover {shown(path)}", file=sys.stderr)
    return trace


def shown(path: Path | str) -> str:
    """Return a name or a line without what could drive a terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in str(path))


def window_of(from_ns: int | None, to_ns: int | None, end_ns: int) -> Window | None:
    """Return the window that --from and --to name; None where they name none.

    Args:
        end_ns: where the run ends.

    Raises:
        click.UsageError: nothing lies between them.
    """
    from ..replay import Window

    if from_ns is None and to_ns is None:
        return None
    window = Window(from_ns or 0, end_ns if to_ns is None else to_ns)
    if window.start_ns >= window.end_ns:
        raise click.UsageError("--from must lie before --to" if to_ns is not None else
                               f"--from lies behind the end of the run, which is {end_ns / 1e9:.6g} s long")
    return window


def coloured() -> bool:
    """Whether stdout gets colours: NO_COLOR forbids them, FORCE_COLOR demands them, else it must be a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return os.environ["FORCE_COLOR"] != "0"
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def screen_look(width: int | None = None, colour: bool | None = None) -> Look:
    """Return what stdout can show.

    Args:
        width: as told by --width. Else COLUMNS, else the terminal's, else 100 where there is none.
        colour: forced or forbidden; None as `coloured` says.
    """
    from ..replay import Look

    told = os.environ.get("COLUMNS", "")
    if width is None and told.isdigit() and int(told) > 0:
        width = min(1_000, max(40, int(told)))
    if width is None:
        width = max(40, shutil.get_terminal_size((REDIRECTED_COLUMNS, 24)).columns) if sys.stdout.isatty() else REDIRECTED_COLUMNS
    return Look(width, coloured() if colour is None else colour, not _shows(_SIGNS))


def _shows(signs: str) -> bool:
    try:
        signs.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def put(text: str) -> None:
    """Write text to stdout as it is; what its encoding has no sign for becomes an escape."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def put_json(value: Any) -> None:
    """Write a value as JSON, ASCII only: nothing in it reaches a terminal as a control character."""
    import json

    # JSON leaves DEL as it is.
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=True).replace("\x7f", "\\u007f") + "\n")
