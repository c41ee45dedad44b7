"""The time axis: which column a moment falls into, and labels at round times in units that suit them.

Owns time as columns. Knows nothing of what happens in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .look import Look
from .values import Window

_MINUTE_NS = 60_000_000_000
_CLOCK = ((1_440 * _MINUTE_NS, "d"), (60 * _MINUTE_NS, "h"), (_MINUTE_NS, "min"))
_DECIMAL = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))
_LABEL_COLUMNS = 12


@dataclass(frozen=True)
class Axis:
    """A stretch of time over so many columns."""

    window: Window
    columns: int

    def column(self, at_ns: int) -> int | None:
        """Return the column of a moment; None outside."""
        if not self.window.start_ns <= at_ns <= self.window.end_ns:
            return None
        return min(self.columns - 1, (at_ns - self.window.start_ns) * self.columns // self.window.length_ns)

    def edges(self, column: int) -> tuple[int, int]:
        """Return where a column begins and ends."""
        length_ns = self.window.length_ns
        return self.window.start_ns + length_ns * column // self.columns, self.window.start_ns + length_ns * (column + 1) // self.columns


def step_of(axis: Axis) -> int:
    """Return the round time (ns) from tick to tick that leaves room for a label."""
    least_ns = axis.window.length_ns * min(_LABEL_COLUMNS, axis.columns) / axis.columns
    steps = [factor * 10**power for power in range(11) for factor in (1, 2, 5)]
    steps = [step for step in steps if step < _MINUTE_NS]
    steps += [minutes * _MINUTE_NS for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)]
    steps += [factor * 10**power * 1_440 * _MINUTE_NS for power in range(7) for factor in (1, 2, 5)]
    return next((step for step in steps if step >= least_ns), int(least_ns) + 1)


def counts_from_start(axis: Axis) -> bool:
    """Whether an axis reads better counted from its own start: a narrow window late in a run."""
    return axis.window.start_ns > 500 * step_of(axis)


def axis_ticks(axis: Axis) -> list[tuple[int, str]]:
    """Return the ticks of an axis: round times (ns) and labels. Where `counts_from_start`, counted from the window's start."""
    step_ns, relative = step_of(axis), counts_from_start(axis)
    origin_ns = axis.window.start_ns if relative else 0
    unit_ns, unit = _unit(step_ns, axis.window.end_ns - origin_ns)
    ticks = []
    first = -(-(axis.window.start_ns - origin_ns) // step_ns)
    for number in range(first, (axis.window.end_ns - origin_ns) // step_ns + 1):
        at_ns = number * step_ns + origin_ns
        if axis.column(at_ns) is not None:
            text = _label(number * step_ns, step_ns, unit_ns, unit)
            ticks.append((at_ns, f"+{text}" if relative and number else text))
    return ticks


def axis_lines(axis: Axis, look: Look) -> tuple[str, str]:
    """Return two lines for an axis: labels at round times, and the ruler with a tick below each.

    Where `counts_from_start`, the labels are +20 µs, +40 µs ... from the window's start.
    """
    labels, ruler = [" "] * axis.columns, [look.glyphs.axis[2]] * axis.columns
    ruler[0] = look.glyphs.axis[0]
    free = 0
    for at_ns, text in axis_ticks(axis):
        column = axis.column(at_ns) or 0
        if look.ascii:
            text = text.replace("µ", "u")
        ruler[column] = look.glyphs.axis[1] if column else look.glyphs.axis[0]
        start = min(column, max(0, axis.columns - len(text)))
        if start >= free:
            labels[start:start + len(text)] = text
            free = start + len(text) + 1
    return "".join(labels).rstrip(), "".join(ruler)


def _unit(step_ns: int, end_ns: int) -> tuple[int, str]:
    """Return the unit of an axis: that of its step for minutes and more, else one with few decimals."""
    for unit_ns, unit in _CLOCK:
        if step_ns >= unit_ns:
            return unit_ns, unit
    return next(((unit_ns, unit) for unit_ns, unit in _DECIMAL if unit_ns <= end_ns and step_ns * 1_000 >= unit_ns), _DECIMAL[-1])


def _label(at_ns: int, step_ns: int, unit_ns: int, unit: str) -> str:
    if at_ns == 0:
        return "0"
    decimals = next((count for count in range(4) if step_ns * 10**count % unit_ns == 0), 3)
    return f"{at_ns / unit_ns:.{decimals}f} {unit}"
