"""Whether a process still runs, and whose child it is.

Owns pidfds and the reading of /proc for that. Knows no trace.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Collection
from pathlib import Path

_GENERATIONS = 16  # of unrecorded processes between two recorded ones
_TICKS_S = os.sysconf("SC_CLK_TCK")
_DOUBT_NS = 1_000_000_000  # a process is older than what it wrote, but for rounding and for clocks that stand still in sleep


def has_ended(pidfd: int | None) -> bool:
    """Say whether the process behind a pidfd is gone."""
    if pidfd is None:
        return True
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def open_pidfd(pid: int, since_ns: int) -> int | None:
    """Return a pidfd, None where the process is gone, its number given to another one or not.

    Args:
        pid: of the process.
        since_ns: CLOCK_MONOTONIC when it was alive.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except (OSError, OverflowError):  # the latter: no process has such a number
        return None
    begun_ns = started_ns(pid)
    if begun_ns is None or begun_ns <= since_ns + _DOUBT_NS:
        return pidfd
    os.close(pidfd)
    return None


def started_ns(pid: int) -> int | None:
    """Return when a process was started, on CLOCK_MONOTONIC, None where that cannot be known."""
    try:
        started_s = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19]) / _TICKS_S
    except (OSError, IndexError, ValueError):
        return None
    age_ns = round((time.clock_gettime(time.CLOCK_BOOTTIME) - started_s) * 1e9)
    return time.monotonic_ns() - age_ns


def ancestor(pid: int, known: Collection[int]) -> int | None:
    """Return the nearest process that is known, from `pid` upwards: between it and its child may stand a shell."""
    for _ in range(_GENERATIONS):
        if pid in known or pid <= 1:
            return pid if pid in known else None
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return None
    return None
