"""Runs a command and says what it used: `usage.py FILE COMMAND...`.

Writes one JSON object to FILE: exit status, wall time, CPU time and peak memory of the command and the children it
waited for. A process of its own, because Linux counts the memory of whoever starts a command as the command's peak
until it has replaced it: this one is small.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def main() -> None:
    """Run, wait, write."""
    started_ns = time.monotonic_ns()
    pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status, used = os.wait4(pid, 0)
    ended_ns = time.monotonic_ns()
    words = {
        "status": os.waitstatus_to_exitcode(status),
        "wall_ns": ended_ns - started_ns,
        "cpu_ns": round((used.ru_utime + used.ru_stime) * 1e9),
        "peak_bytes": used.ru_maxrss * 1024,
        "ended_ns": ended_ns,
    }
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(words, file)


if __name__ == "__main__":
    main()
