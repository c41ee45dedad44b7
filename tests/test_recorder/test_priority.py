"""What we start runs at the priority that we were started with, however often we have given way."""

from __future__ import annotations

import os
import subprocess
import sys

_ASK = "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"
_TWICE = f"""
import os, subprocess, sys
from sockreel.recorder import priority
def start():
    return subprocess.run([sys.executable, "-c", {_ASK!r}], capture_output=True, text=True).stdout.strip()
for _ in range(2):
    print(priority.at_our_first(start))
    priority.give_way()
    print(os.getpriority(os.PRIO_PROCESS, 0))
"""


def test_the_second_program_of_a_process_runs_like_the_first() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    done = subprocess.run([sys.executable, "-c", _TWICE], capture_output=True, text=True, check=True)
    lowered = min(before + 5, 19)
    assert [int(line) for line in done.stdout.split()] == [before, lowered, before, lowered]
