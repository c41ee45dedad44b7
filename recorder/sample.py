"""CPU and memory of the recorded processes, read from outside.

Owns the reading of /proc and of the processes' CPU clocks. Knows no trace.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """One look at a process or thread: totals since its start. Missing where the kernel would not say."""

    run_ns: int | None
    user_ns: int | None = None
    system_ns: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    rss_bytes: int | None = None
    delay_ns: int | None = None
    children_ns: int | None = None


def process_sample(pid: int) -> Sample | None:
    """Return a sample of a whole process, ended threads included; None where it is gone.

    A process that has ended and was not waited for still answers.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    switches = _switches(pid, native_ids(pid))
    return Sample(
        run_ns=cpu_clock_ns(pid),
        user_ns=int(fields[11]) * _TICK_NS,
        system_ns=int(fields[12]) * _TICK_NS,
        voluntary_switches=switches[0] if switches else None,
        involuntary_switches=switches[1] if switches else None,
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
        children_ns=(int(fields[13]) + int(fields[14])) * _TICK_NS,
    )


def thread_sample(pid: int, native_id: int) -> Sample | None:
    """Return how long one thread ran, and how long it was ready and waited for a processor; None where it is gone.

    Source: Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat: its first two fields.
    """
    try:
        with open(f"/proc/{pid}/task/{native_id}/schedstat", "rb") as file:
            run, delay = file.read().split()[:2]
            return Sample(run_ns=int(run), delay_ns=int(delay))
    except (OSError, ValueError):
        return None


def native_ids(pid: int) -> list[int]:
    """Return the kernel's ids of a process's living threads; none where it is gone."""
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def cpu_clock_ns(pid: int) -> int | None:
    """Read CLOCK_PROCESS_CPUTIME_ID of another process: exact, and ended threads count (clock_getcpuclockid(3))."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return None


def _switches(pid: int, threads: Sequence[int]) -> tuple[int, int] | None:
    """Return voluntary and involuntary switches, summed over the living threads."""
    voluntary = involuntary = 0
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/status", "rb") as file:
                content = file.read()
        except OSError:
            continue
        voluntary += _number_after(content, b"\nvoluntary_ctxt_switches:")
        involuntary += _number_after(content, b"\nnonvoluntary_ctxt_switches:")
    return (voluntary, involuntary) if threads else None


def _number_after(content: bytes, name: bytes) -> int:
    return int(content.partition(name)[2].split(b"\n", 1)[0] or 0)
