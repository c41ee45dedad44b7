"""What tests need that take something away: counters that outlive a program, small disks, programs to kill.

Owns no test.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .recording import PROGRAMS, Recorded

COUNTING = PROGRAMS / "counting.py"
CORES = ["c", "python"]


class Counters:
    """The program's own count of calls that returned, per thread, in memory that outlives it."""

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self.threads = threads
        path.write_bytes(bytes(8 * threads))

    def each(self) -> list[int]:
        return memoryview(self.path.read_bytes()).cast("Q").tolist()

    def total(self) -> int:
        return sum(self.each())


def has_c_core(recorded: Recorded, core: str) -> None:
    if core == "c" and not recorded.path.exists():
        pytest.skip("there is no C core here")


# Threads, processes, payload bytes, and how many calls are made before the end comes.
SHAPES = {"one thread": (1, 1, 0), "four threads": (4, 1, 0), "payloads": (1, 1, 700), "forks": (1, 3, 0), "all of it": (3, 2, 300)}


def kill_program(pid: int) -> None:
    """Kill a program and its children at once, as far as that is possible."""
    for each in [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]:
        os.kill(each, signal.SIGKILL)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of a few megabytes, or skip where that is not allowed."""
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
