"""What the listing commands print with: lines, tables, CSV and JSON on stdout.

Owns how wide a table is and how it shrinks. Knows nothing of traces; words and figures come from
replay/words.py. What tables hold is hostile: no control character reaches a terminal from here.
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
from dataclasses import dataclass
from functools import lru_cache
from io import TextIOWrapper
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

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
    console().print(text, style=style)


def screen_width() -> int | None:
    """Return the columns to fit into; None when redirected, where nothing needs to be cut."""
    if os.environ.get("COLUMNS", "").isdigit():
        return max(20, int(os.environ["COLUMNS"]))
    return max(20, shutil.get_terminal_size((80, 24)).columns) if sys.stdout.isatty() else None


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        title: its header.
        right: aligned to the right, as numbers are.
        least: columns it may be cut down to; None: never cut.
    """

    title: str
    right: bool = False
    least: int | None = None


@dataclass(frozen=True)
class _Layout:
    columns: Sequence[Column]
    widths: Sequence[int]
    gap: int

    def text(self, cells: Sequence[str], cut: bool) -> str:
        from rich.cells import cell_len

        from ..replay.words import fit

        parts = []
        for column, width, whole in zip(self.columns, self.widths, cells, strict=True):
            cell = fit(whole, width) if cut and cell_len(whole) > width else whole
            pad = " " * (width - cell_len(cell))
            parts.append(pad + cell if column.right else cell + pad)
        return (" " * self.gap).join(parts).rstrip()


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], footer: Sequence[str] | None = None) -> None:
    """Print a table; on a screen too narrow for it, cut what may be cut, else print one record per row.

    Args:
        rows: cells as text, already `visible`. Widths are taken from the first 200 rows, the others stream.
        footer: one more row, below a rule.
    """
    rows = iter(rows)
    first = list(islice(rows, 200))
    width = screen_width()
    layout = _fit(columns, [*first, *([footer] if footer else [])], width)
    if layout is None:
        _print_records(columns, chain(first, rows))
        return
    line(layout.text([column.title for column in columns], cut=True), "bold")
    rule = "─" if console().encoding.startswith("utf") else "-"
    underline = (" " * layout.gap).join(rule * size for size in layout.widths)
    line(underline, "dim")
    for row in chain(first, rows):
        line(layout.text(row, cut=width is not None))
    if footer:
        line(underline, "dim")
        line(layout.text(footer, cut=width is not None), "bold")


def _fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> _Layout | None:
    """Return widths for a screen, or None where even the narrowest are too wide."""
    from rich.cells import cell_len

    widths = [max([cell_len(column.title), *(cell_len(row[n]) for row in rows)]) for n, column in enumerate(columns)]
    if width is None:
        return _Layout(columns, widths, gap=2)
    for gap in (2, 1):
        excess = sum(widths) + gap * (len(columns) - 1) - width
        if excess <= 0:
            return _Layout(columns, widths, gap)
    least = [size if column.least is None else min(size, column.least) for size, column in zip(widths, columns, strict=True)]
    while excess > 0:
        room, widest = max((widths[n] - least[n], n) for n in range(len(columns)))
        if room <= 0:
            return None
        # The widest gives first, down to the next: long texts lose before short ones.
        step = min(excess, max(1, room // 2))
        widths[widest] -= step
        excess -= step
    return _Layout(columns, widths, gap=1)


def _print_records(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    widest = max(len(column.title) for column in columns)
    for n, row in enumerate(rows, 1):
        line(f"- {n} ".ljust(widest + 12, "-"), "dim")
        for column, cell in zip(columns, row, strict=True):
            line(f"{column.title.rjust(widest)}  {cell}")


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
