"""A sweep as SVG: one panel per metric, log-log, quartiles as bars, one colour and sign per server.

Owns the drawing. Knows curves, and an excerpt only to find the trace it belongs to.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from html import escape
from typing import BinaryIO

from ...traces import TraceError
from ...traces.excerpt import Excerpt
from ..growth import METRICS, Curve, Metric, curves_of, measures_of, tail_from
from ..terminal_growth import end_words, slope_words, value_words

_WIDE, _HIGH = 440.0, 300.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 74.0, 34.0, 22.0, 34.0
_LETTERS = 138  # in a line of the legend
_COLOURS = ("#c0392b", "#d68910", "#8e44ad", "#148f9f", "#1e8449", "#2e6ad1", "#d81b60", "#6d4c41", "#5e35b1", "#00838f", "#455a64")
_SHAPES = ("circle", "ring", "up", "square", "diamond", "down", "cross")


def write_growth(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write the sweep of a trace as SVG; which of its runs is named makes no difference.

    Raises:
        TraceError: the trace is damaged, or holds no sweep.
    """
    trace = excerpts[0].trace
    curves = curves_of(measures_of(trace))
    if not curves:
        raise TraceError(f"{trace.path} holds no sweep: `sockreel sweep` makes one")
    out.write(growth_svg(curves).encode("utf-8"))


def growth_svg(curves: Sequence[Curve]) -> str:
    """Return the pictures of a sweep as one SVG."""
    legend = [_legend_words(curve) for curve in curves]
    high = 2 * _HIGH + 12 + 18 * sum(map(len, legend))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDE:.0f} {high:.0f}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for number, metric in enumerate(METRICS):
        lines.append(f'<g transform="translate({number % 2 * _WIDE:.0f},{number // 2 * _HIGH:.0f})">')
        lines += [*_panel(curves, metric), "</g>"]
    y = 2 * _HIGH + 18
    for number, (curve, said) in enumerate(zip(curves, legend, strict=True)):
        name = f'<tspan font-weight="bold">{escape(curve.server)}</tspan>'
        lines += [_mark(number, 20, y - 4), f'<text x="34" y="{y:.0f}">{name}  {escape(said[0])}</text>']
        lines += [f'<text x="34" y="{y + 18 * place:.0f}">{escape(more)}</text>' for place, more in enumerate(said[1:], 1)]
        y += 18 * len(said)
    return "\n".join([*lines, "</svg>", ""])


def _legend_words(curve: Curve) -> list[str]:
    """Return the lines beside the sign of a server: how it grows, and where it ended."""
    slope, tail = curve.slope(METRICS[0]), curve.slope(METRICS[0], tail_from(curve))
    grows = f"CPU per exchange grows as {slope_words(slope)}" if slope else ""
    if slope and tail and tail.first > slope.first:
        grows += f", as {slope_words(tail)} from {tail.first:,} to {tail.last:,} clients"
    return [grows, *textwrap.wrap(end_words(curve), _LETTERS)] if grows else textwrap.wrap(end_words(curve), _LETTERS) or [""]


def _panel(curves: Sequence[Curve], metric: Metric) -> list[str]:
    spots = [curve.spots(metric) for curve in curves]
    values = [value for of in spots for spot in of for value in (spot.low, spot.high)] or [1.0]
    counts = sorted({one.clients for curve in curves for one in curve.measures})
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    left, right = math.log10(counts[0]), math.log10(counts[-1])

    def x_of(clients: float) -> float:
        return _LEFT + 10 + (_WIDE - _LEFT - _RIGHT - 20) * ((math.log10(clients) - left) / (right - left) if right > left else 0.5)

    def y_of(value: float) -> float:
        return _TOP + (_HIGH - _TOP - _BOTTOM) * (1 - (math.log10(value) - low) / max(1, high - low))

    lines = [f'<text x="{_LEFT:.0f}" y="20" font-weight="bold">{escape(metric.name)}</text>', *_axes(counts, metric, low, high, x_of, y_of)]
    for number, of in enumerate(spots):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{x_of(spot.clients):.1f},{y_of(spot.median):.1f}" for spot in of)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-opacity="0.6"/>')
        for spot in of:
            x = x_of(spot.clients)
            lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y_of(spot.low):.1f}" y2="{y_of(spot.high):.1f}" stroke="{colour}"/>')
            lines.append(_mark(number, x, y_of(spot.median)))
    return lines


def _axes(
    counts: Sequence[int], metric: Metric, low: int, high: int, x_of: Callable[[float], float], y_of: Callable[[float], float],
) -> list[str]:
    lines = []
    for power in range(low, high + 1):
        y = y_of(10.0**power)
        lines.append(f'<line x1="{_LEFT:.0f}" x2="{_WIDE - _RIGHT:.0f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        words = escape(value_words(10.0**power, metric.unit))
        lines.append(f'<text x="{_LEFT - 6:.0f}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{words}</text>')
    for count in counts:
        lines.append(f'<text x="{x_of(count):.1f}" y="{_HIGH - 14:.0f}" text-anchor="middle" fill="#555">{count:,}</text>')
    lines.append(f'<text x="{_LEFT - 6:.0f}" y="{_HIGH - 14:.0f}" text-anchor="end" fill="#555">clients</text>')
    return lines


def _mark(number: int, x: float, y: float) -> str:
    """Return the sign of a server."""
    colour, shape = _COLOURS[number % len(_COLOURS)], _SHAPES[number % len(_SHAPES)]
    if shape in ("circle", "ring"):
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour if shape == "circle" else "#fff"}" stroke="{colour}"/>'
    paths = {"up": "M0-5L5 4H-5Z", "down": "M0 5L5-4H-5Z", "square": "M-4-4H4V4H-4Z", "diamond": "M0-5L5 0L0 5L-5 0Z",
             "cross": "M-4-1H-1V-4H1V-1H4V1H1V4H-1V1H-4Z"}
    return f'<path transform="translate({x:.1f},{y:.1f})" d="{paths[shape]}" fill="{colour}"/>'
