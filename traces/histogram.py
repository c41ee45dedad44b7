"""Durations counted in logarithmic bins, so that medians and p99 cost no scan.

Owns the arithmetic of `summaries.histogram`. Sixteen bins an octave: a bin is at most 1/16 of
its value wide, so its middle is within 1/32 (3.2 %) of every duration in it.
"""

from __future__ import annotations

from collections.abc import Mapping

_SUB_BITS = 4
_SUB = 1 << _SUB_BITS


def histogram_bin(duration_ns: int) -> int:
    """Return the bin of a duration.

    Args:
        duration_ns: nanoseconds, 0 or more (a negative one counts as 0).
    """
    if duration_ns < _SUB:
        return max(duration_ns, 0)
    shift = duration_ns.bit_length() - 1 - _SUB_BITS
    return (shift << _SUB_BITS) + (duration_ns >> shift)


def histogram_value(bin_: int) -> int:
    """Return the middle of a bin in nanoseconds, the inverse of `histogram_bin` to within 3.2 %."""
    if bin_ < 2 * _SUB:
        return bin_
    shift = (bin_ >> _SUB_BITS) - 1
    low = (bin_ - (shift << _SUB_BITS)) << shift
    return low + (1 << shift) // 2


def histogram_quantile(histogram: Mapping[int, int], quantile: float) -> int | None:
    """Return the duration below or at which a share of the calls lies.

    Args:
        histogram: bin -> calls.
        quantile: 0 to 1; 0.5 is the median.

    Returns:
        Nanoseconds, within 4 % of the exact value, or None where nothing was counted.
    """
    total = sum(histogram.values())
    if not total:
        return None
    wanted = max(1, -(-total * quantile // 1))
    seen = 0
    for bin_ in sorted(histogram):
        seen += histogram[bin_]
        if seen >= wanted:
            return histogram_value(bin_)
    return histogram_value(max(histogram))
