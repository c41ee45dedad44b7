"""What the listing commands print with: lines, CSV and JSON on stdout.

Owns the console and the safe way to write data to it. Knows nothing of traces; tables are in
_table.py, words and figures in replay/words.py.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from io import TextIOWrapper
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

FACT = 12
"""Cells of the names in a list of facts."""
# JSON escapes C0 by itself, but not DEL, C1, direction marks and what nobody can see.
_LEFT_RAW = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]")


def console() -> Console:
    """Return the rich console of stdout: plain when redirected or NO_COLOR is set, coloured with FORCE_COLOR."""
    return _console_of(sys.stdout)


@lru_cache(maxsize=1)
def _console_of(stream: TextIO) -> Console:
    from rich.console import Console

    from ._options import coloured

    # A locale that has no such letter shows an escape; it is no reason to stop.
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    colour = coloured()
    return Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True, force_terminal=colour, no_color=not colour)


def line(text: str = "", style: str | None = None) -> None:
    """Print one line of our own making (its parts already `visible`)."""
    shown = text if console().encoding.startswith("utf") else text.replace("µ", "u")
    console().print(shown, style=style)


def fact(name: str, text: str = "", style: str | None = None) -> None:
    """Print a line of a list of facts: a name in a column of twelve cells, and what is said of it; no name: more of the one before."""
    from rich.cells import cell_len

    line(name + " " * max(1, FACT - cell_len(name)) + text if name else " " * FACT + text, style)


def screen_width() -> int | None:
    """Return the columns to fit into; None when redirected, where nothing needs to be cut."""
    if os.environ.get("COLUMNS", "").isdigit():
        return max(20, int(os.environ["COLUMNS"]))
    return max(20, shutil.get_terminal_size((80, 24)).columns) if sys.stdout.isatty() else None


def print_json(value: Any) -> None:
    """Print a value as JSON, indented."""
    _write(_safe_json(value, indent=2) + "\n")


def print_json_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Print rows as a JSON list, one a line, as they come."""
    before = "["
    for row in rows:
        _write(before + _safe_json(row))
        before = ",\n "
    _write("[]\n" if before == "[" else "]\n")


def _safe_json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(_plain(value), ensure_ascii=False, indent=indent, allow_nan=False)
    return _LEFT_RAW.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _plain(value: Any) -> Any:
    """Return what JSON can hold: bytes as sqlite-utils writes them, infinities as text."""
    if isinstance(value, bytes):
        return {"$base64": True, "encoded": b64encode(value).decode("ascii")}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def csv_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    """Yield the header and the rows of a CSV: bytes in hex; control characters visible on a terminal only."""
    from ..replay.words import visible

    console()
    on_screen = sys.stdout.isatty()
    for row in chain([names], rows):
        cells = [cell.hex() if isinstance(cell, bytes) else cell for cell in row]
        yield [visible(cell) if on_screen and isinstance(cell, str) else cell for cell in cells]


def _write(text: str) -> None:
    console()
    sys.stdout.write(text)
