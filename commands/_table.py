"""Tables of text for a terminal, however narrow, and for pipes, where nothing is cut.

Owns how wide columns are and what gives when there is no room: titles are broken, then texts cut,
then rows become records. Knows nothing of what a table holds; its cells are already `visible`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

from ._screen import console, line, screen_width

_LOOKED_AT = 200


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        title: its header; may be broken after blanks and underscores.
        right: aligned to the right, as numbers are.
        least: columns its cells may be cut down to; None: never cut.
    """

    title: str
    right: bool = False
    least: int | None = None


@dataclass(frozen=True)
class _Layout:
    columns: Sequence[Column]
    widths: Sequence[int]
    gap: int

    def header(self) -> list[str]:
        """Return the titles, on as many lines as they need; the last line stands on the rule."""
        broken = [_broken(column.title, width) for column, width in zip(self.columns, self.widths, strict=True)]
        rows = zip_longest(*(reversed(title) for title in broken), fillvalue="")
        return [self._line(row, [True] * len(row)) for row in reversed(list(rows))]

    def row(self, cells: Sequence[str], narrow: bool) -> str:
        """Return one row; where a screen sets the width, cells that may be cut are."""
        return self._line(cells, [narrow and column.least is not None for column in self.columns])

    def rule(self) -> str:
        """Return the line between titles and rows."""
        sign = "─" if console().encoding.startswith("utf") else "-"
        return (" " * self.gap).join(sign * width for width in self.widths)

    def _line(self, cells: Sequence[str], cut: Sequence[bool]) -> str:
        from rich.cells import cell_len

        parts = []
        for column, width, may_cut, whole in zip(self.columns, self.widths, cut, cells, strict=True):
            cell = _shortened(whole, width) if may_cut else whole
            pad = " " * (width - cell_len(cell))
            parts.append(pad + cell if column.right else cell + pad)
        return (" " * self.gap).join(parts).rstrip()


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], footer: Sequence[str] | None = None) -> None:
    """Print a table; on a screen too narrow for it, break and cut what may be, else print one record per row.

    Args:
        rows: cells as text. Widths are taken from the first 200 rows, the others stream.
        footer: one more row, below a rule.
    """
    rows = iter(rows)
    first = list(islice(rows, _LOOKED_AT))
    width = screen_width()
    layout = _fit(columns, [*first, *([footer] if footer else [])], width)
    if layout is None:
        _print_records(columns, chain(first, rows))
        return
    for titles in layout.header():
        line(titles, "bold")
    line(layout.rule(), "dim")
    for row in chain(first, rows):
        line(layout.row(row, narrow=width is not None))
    if footer:
        line(layout.rule(), "dim")
        line(layout.row(footer, narrow=width is not None), "bold")


def _fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> _Layout | None:
    """Return widths for a screen (None: as wide as need be), or None where even the narrowest are too wide."""
    from rich.cells import cell_len

    cells = [max((cell_len(row[n]) for row in rows), default=0) for n in range(len(columns))]
    titles = [cell_len(column.title) for column in columns]
    widths = [max(pair) for pair in zip(cells, titles, strict=True)]
    if width is None:
        return _Layout(columns, widths, gap=2)
    pieces = [max(map(cell_len, _pieces(column.title)), default=0) for column in columns]
    broken = [max(cell, piece) for cell, piece in zip(cells, pieces, strict=True)]
    for tried, gap in ((widths, 2), (widths, 1), (broken, 2), (broken, 1)):
        excess = sum(tried) + gap * (len(columns) - 1) - width
        if excess <= 0:
            return _Layout(columns, tried, gap)
    least = [size if column.least is None else min(size, column.least) for size, column in zip(broken, columns, strict=True)]
    while excess > 0:
        room, widest = max((broken[n] - least[n], n) for n in range(len(columns)))
        if room <= 0:
            return None
        # The widest gives first, down to the next: long texts lose before short ones.
        step = min(excess, max(1, room // 2))
        broken[widest] -= step
        excess -= step
    return _Layout(columns, broken, gap=1)


def _pieces(title: str) -> list[str]:
    return re.findall(r"[^_ ]*[_ ]?", title)[:-1]


def _broken(title: str, width: int) -> list[str]:
    """Return a title in lines of at most `width` columns."""
    from rich.cells import cell_len

    lines = [""]
    for piece in _pieces(title):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [_shortened(text.rstrip(), width) for text in lines]


def _shortened(text: str, width: int) -> str:
    """Return a text cut to a width; of a path the end is kept, which tells more."""
    from rich.cells import cell_len

    from ..replay.words import fit

    if cell_len(text) <= width:
        return text
    ellipsis = "…" if console().encoding.startswith("utf") else "~"
    if text.startswith("/") and " " not in text:
        return fit(text[::-1], width, ellipsis)[::-1]
    return fit(text, width, ellipsis)


def _print_records(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    widest = max(len(column.title) for column in columns)
    for n, row in enumerate(rows, 1):
        line(f"- {n} ".ljust(widest + 12, "-"), "dim")
        for column, cell in zip(columns, row, strict=True):
            line(f"{column.title.rjust(widest)}  {cell}")
