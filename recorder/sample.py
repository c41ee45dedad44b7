"""CPU and memory of the recorded processes, read from outside.

Owns the reading of /proc and of the processes' CPU clocks. Knows no trace.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MOST_THREADS = 64


@dataclass(frozen=True)
class Sample:
    """One look at a process or thread: totals since its start. Missing where the kernel would not say."""

    run_ns: int | None
    user_ns: int | None = None
    system_ns: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    rss_bytes: int | None = None


def process_sample(pid: int) -> Sample | None:
    """Return a sample of a whole process, ended threads included; None where it is gone.

    A process that has ended and was not waited for still answers.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    switches = _switches(f"/proc/{pid}/task")
    return Sample(
        run_ns=_cpu_clock_ns(pid),
        user_ns=int(fields[11]) * _TICK_NS,
        system_ns=int(fields[12]) * _TICK_NS,
        voluntary_switches=switches[0] if switches else None,
        involuntary_switches=switches[1] if switches else None,
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
    )


def thread_sample(pid: int, native_id: int) -> Sample | None:
    """Return the CPU time of one thread; None where it is gone."""
    try:
        with open(f"/proc/{pid}/task/{native_id}/schedstat", "rb") as file:
            return Sample(run_ns=int(file.read().split()[0]))
    except (OSError, ValueError, IndexError):
        return None


def _cpu_clock_ns(pid: int) -> int | None:
    """Read CLOCK_PROCESS_CPUTIME_ID of another process: exact, and ended threads count (clock_getcpuclockid(3))."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return None


def _switches(folder: str) -> tuple[int, int] | None:
    """Return voluntary and involuntary switches, summed over the living threads."""
    try:
        threads = os.listdir(folder)[:_MOST_THREADS]
    except OSError:
        return None
    voluntary = involuntary = 0
    for thread in threads:
        try:
            with open(f"{folder}/{thread}/status", "rb") as file:
                content = file.read()
        except OSError:
            continue
        voluntary += _number_after(content, b"\nvoluntary_ctxt_switches:")
        involuntary += _number_after(content, b"\nnonvoluntary_ctxt_switches:")
    return voluntary, involuntary


def _number_after(content: bytes, name: bytes) -> int:
    return int(content.partition(name)[2].split(b"\n", 1)[0] or 0)
