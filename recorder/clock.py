"""The same moment on two clocks: CLOCK_MONOTONIC, on which calls are timed, and CLOCK_REALTIME, on which the kernel stamps packets.

Owns how pairs are taken, and how a time of the one becomes a time of the run. Knows no trace.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence

_TRIES = 5
_CLOSE_NS = 1_000
_STEP_NS = 1_000_000  # two pairs that differ by more: somebody set the clock between them


def clock_pair() -> tuple[int, int]:
    """Return (monotonic_ns, realtime_ns) of one moment: of a few pairs the one that took least between its two sides."""
    best = (0, 0, 0)
    for attempt in range(_TRIES):
        before_ns = time.monotonic_ns()
        realtime_ns = time.time_ns()
        after_ns = time.monotonic_ns()
        if not attempt or after_ns - before_ns < best[0]:
            best = (after_ns - before_ns, (before_ns + after_ns) // 2, realtime_ns)
        if best[0] < _CLOSE_NS:
            break
    return best[1], best[2]


class RunClock:
    """Turns realtime into time of the run, and back.

    Args:
        pairs: (at_ns, realtime_ns) as the table `clocks` has them, at least one. Between two pairs the clock is taken to
            have gone evenly, before the first and after the last as it went there.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        by_time = sorted(set(pairs))
        self._run = [at_ns for at_ns, _ in by_time]
        self._ahead = [realtime_ns - at_ns for at_ns, realtime_ns in by_time]
        by_realtime = sorted((realtime_ns, realtime_ns - at_ns) for at_ns, realtime_ns in by_time)
        self._real = [realtime_ns for realtime_ns, _ in by_realtime]
        self._behind = [ahead_ns for _, ahead_ns in by_realtime]

    def run_ns(self, realtime_ns: int) -> int:
        """Return the time of the run at a realtime, both in nanoseconds."""
        return realtime_ns - _between(self._real, self._behind, realtime_ns)

    def realtime_ns(self, run_ns: int) -> int:
        """Return the realtime at a time of the run."""
        return run_ns + _between(self._run, self._ahead, run_ns)


def _between(moments: list[int], offsets: list[int], at: int) -> int:
    after = bisect_right(moments, at)
    if after == 0:
        return offsets[0]
    if after == len(moments):
        return offsets[-1]
    start, end = moments[after - 1], moments[after]
    change = offsets[after] - offsets[after - 1]
    if abs(change) > _STEP_NS:
        return offsets[after - 1] if at - start < end - at else offsets[after]
    return offsets[after - 1] + change * (at - start) // max(end - start, 1)
