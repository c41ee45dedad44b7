"""A sweep in a terminal: small pictures of how each metric grows, log-log, and tables with the slopes.

Owns how curves become characters. One sign per server, so that colour only helps. Knows no trace.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from .growth import METRICS, Curve, Metric, Slope, Spot, tail_from
from .look import Look, Page, Piece
from .words import duration, fit, short_count, visible

_SIGNS = "●○▲△■□◆◇★☆✚"
_ASCII_SIGNS = "o+x#*%@&=abcdef"
_COLOURS = ("red", "bright_yellow", "magenta", "cyan", "green", "bright_blue", "bright_red", "yellow", "bright_magenta", "bright_cyan")
_HIGH = 11
_LEFT = 9
_TWO_FROM = 88  # columns: two pictures stand side by side

Cell = tuple[str, str]


def draw_growth(curves: Sequence[Curve], look: Look, title: str = "") -> str:
    """Return the pictures and tables of a sweep as text.

    Args:
        curves: a server each.
        look: what the screen can show.
        title: the first line, if any.
    """
    page = Page(look)
    if title:
        page.line((title, "bold"))
        page.line("")
    across = 2 if look.width >= _TWO_FROM else 1
    wide = look.width // across - (2 if across == 2 else 0)
    panels = [_panel(curves, metric, wide, look.ascii) for metric in METRICS]
    for row in range(0, len(panels), across):
        for parts in zip(*panels[row : row + across], strict=True):
            pieces: list[Piece] = []
            for part in parts:
                pieces += [*part, ("  ", "")]
            page.line(*pieces)
        page.line("")
    _legend(page, curves, look)
    for metric in METRICS:
        _table(page, curves, metric, look)
    _sentences(page, curves)
    return page.text()


def _sign(number: int, ascii_only: bool) -> str:
    signs = _ASCII_SIGNS if ascii_only else _SIGNS
    return signs[number % len(signs)]


def value_words(value: float, unit: str) -> str:
    """Return a value of a metric in words."""
    if unit == "ns":
        return duration(value)
    return f"{value:.1f}" if value < 100 else short_count(round(value))


def _panel(curves: Sequence[Curve], metric: Metric, wide: int, ascii_only: bool) -> list[list[Piece]]:
    """Draw one metric: a title, the field, and the axis under it; each a line of pieces of the same width."""
    spots = [curve.spots(metric) for curve in curves]
    values = [value for of in spots for spot in of for value in (spot.low, spot.high)]
    counts = sorted({one.clients for curve in curves for one in curve.measures})
    columns = wide - _LEFT - 3
    head: list[Piece] = [(fit(metric.name, wide).ljust(wide), "bold")]
    if not values:
        return [head] + [[(" " * wide, "")]] * (_HIGH + 2)
    low, high = math.log10(min(values)), math.log10(max(values))
    low, high = (low - 0.5, high + 0.5) if high - low < 0.3 else (low, high)
    left, right = math.log10(counts[0]), math.log10(counts[-1])
    field: list[list[Cell]] = [[(" ", "")] * columns for _ in range(_HIGH)]

    def column(clients: float) -> int:
        return 1 if right == left else 1 + round((math.log10(clients) - left) / (right - left) * (columns - 3))

    def line(value: float) -> int:
        return _HIGH - 1 - round((math.log10(value) - low) / (high - low) * (_HIGH - 1))

    for number, of in enumerate(spots):
        colour = _COLOURS[number % len(_COLOURS)]
        _join(field, [(column(spot.clients), line(spot.median)) for spot in of], (". " if ascii_only else "· ")[0], colour)
    for number, of in enumerate(spots):
        for spot in of:
            _put(field, column(spot.clients), line(spot.median), (_sign(number, ascii_only), _COLOURS[number % len(_COLOURS)]))
    return [head, *_field_lines(field, metric, low, high, ascii_only), *_axis(counts, column, columns, wide, ascii_only)]


def _join(field: list[list[Cell]], places: Sequence[tuple[int, int]], sign: str, colour: str) -> None:
    """Draw a thin line between neighbouring spots."""
    for (x0, y0), (x1, y1) in pairwise(places):
        for x in range(x0 + 1, x1):
            y = round(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
            if field[y][x][0] == " ":
                field[y][x] = (sign, colour)


def _put(field: list[list[Cell]], x: int, y: int, cell: Cell) -> None:
    """Put a sign down, or beside the one that is there already."""
    for aside in (0, 1, -1, 2):
        if 0 <= x + aside < len(field[y]) and field[y][x + aside][0] in " ·.":
            field[y][x + aside] = cell
            return


def _field_lines(field: list[list[Cell]], metric: Metric, low: float, high: float, ascii_only: bool) -> list[list[Piece]]:
    lines: list[list[Piece]] = []
    for y, row in enumerate(field):
        share = (_HIGH - 1 - y) / (_HIGH - 1)
        label = value_words(10 ** (low + share * (high - low)), metric.unit) if y % 5 == 0 else ""
        lines.append([(f"{label:>{_LEFT}} ", "dim"), ("|" if ascii_only else "│", "dim"), *row, (" ", "")])
    return lines


def _axis(counts: Sequence[int], column: object, columns: int, wide: int, ascii_only: bool) -> list[list[Piece]]:
    assert callable(column)
    rule, labels = ["-" if ascii_only else "─"] * columns, [" "] * (columns + 8)
    for count in counts:
        at = column(count)
        rule[at] = "+" if ascii_only else "┴"
        text = short_count(count) if count >= 10_000 else f"{count}"
        start = max(0, min(at - len(text) // 2, columns - len(text)))
        if all(letter == " " for letter in labels[max(0, start - 1) : start + len(text)]):
            labels[start : start + len(text)] = text
    corner = "+" if ascii_only else "└"
    below = " " * (_LEFT + 2) + "".join(labels[:columns])
    return [[(" " * (_LEFT + 1) + corner + "".join(rule) + " ", "dim")], [(below.ljust(wide)[:wide], "dim")]]


def _legend(page: Page, curves: Sequence[Curve], look: Look) -> None:
    for number, curve in enumerate(curves):
        end = curve.end
        piece = (f" {_sign(number, look.ascii)} {curve.server:<18}", _COLOURS[number % len(_COLOURS)])
        if end is None:
            page.line(piece)
        else:
            page.line(piece)
            page.wrapped(end_words(curve), 3, first=3)
    page.line("")


def end_words(curve: Curve) -> str:
    """Return where a server ended, and why; empty where it did not."""
    end = curve.end
    if end is None:
        return ""
    served = f"{end.connected:,} of {end.clients:,} clients connected, {end.answered:,} of {end.active:,} answered"
    return f"ends at {end.clients:,}: {visible(end.ended or '')} ({served})"


def slope_words(slope: Slope | None) -> str:
    """Return a slope as an exponent of n, with its standard error."""
    if slope is None:
        return "-"
    error = "" if slope.error is None else f" ±{slope.error:.2f}"
    return f"n^{slope.exponent:.2f}{error}"


def _cell(spot: Spot, unit: str, wide: int) -> str:
    """Return a median and its spread, close together where a column is narrow; without the spread where there is no room for both."""
    words = value_words(spot.median, unit)
    spread = f"±{(spot.high - spot.low) / 2 / spot.median:.0%}"
    tried = () if spot.repeats == 1 else (f"{words} {spread}", f"{words}{spread}", f"{words.replace(' ', '')}{spread}")
    return next((both for both in tried if len(both) < wide), words)


def _table(page: Page, curves: Sequence[Curve], metric: Metric, look: Look) -> None:
    counts = sorted({one.clients for curve in curves for one in curve.measures})
    wide = max(9, min(15, (look.width - 18 - 27) // max(1, len(counts))))
    heads = "".join(f"{count:>{wide},}" for count in counts)
    page.line((f"{metric.name:<18}"[:18], "bold"), (f"{heads}  {'grows as':>13}{'at the end':>12}", "dim"))
    for curve in curves:
        cells = {spot.clients: _cell(spot, metric.unit, wide) for spot in curve.spots(metric)}
        ended = {one.clients for one in curve.measures if one.ended}
        row = "".join(f"{cells.get(count, 'ended' if count in ended else '-'):>{wide}}" for count in counts)
        tail = curve.slope(metric, tail_from(curve))
        exponent = "-" if tail is None else f"n^{tail.exponent:.2f}"
        page.line(f"{curve.server:<18}{row}  {slope_words(curve.slope(metric)):>13}{exponent:>12}")
    page.line("")


def _sentences(page: Page, curves: Sequence[Curve]) -> None:
    cost = METRICS[0]
    for curve in curves:
        slope, tail = curve.slope(cost), curve.slope(cost, tail_from(curve))
        if slope is None or tail is None:
            continue
        at_end = "" if tail.first == slope.first else f", as {slope_words(tail)} from {tail.first:,} to {tail.last:,}"
        grows = f"CPU per exchange grows as {slope_words(slope)} from {slope.first:,} to {slope.last:,} clients"
        page.wrapped(f"{curve.server}: {grows}{at_end}.", 2)
    page.wrapped("Cells: the median of the repeats ± half the distance between their quartiles; exponents: least squares through "
                 "the logarithms, ± standard error; at the end: over the last decade of clients.", 2, "quiet")
