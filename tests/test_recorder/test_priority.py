"""What we start runs at the priority that we were started with, however often we have given way; who only calls us gives way to nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

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


_RECORDED = f"""
import os, sys
from pathlib import Path
from sockreel.recorder.launching.launch import Command
from sockreel.recorder.session import record
from sockreel.recorder.settings import Settings
def standing():
    return os.getpriority(os.PRIO_PROCESS, 0), sys.getswitchinterval()
before = standing()
program = Command((sys.executable, "-c", {_ASK!r}), "python")
for gives_way in (False, True):
    record(program, Settings(output=Path(sys.argv[1]) / f"{{gives_way}}.db", gives_way=gives_way), lambda line: None)
    print(standing() == before, os.getpriority(os.PRIO_PROCESS, 0) - before[0], flush=True)
"""


def test_a_program_that_records_another_keeps_its_priority_unless_it_gives_way(tmp_path: Path) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    done = subprocess.run([sys.executable, "-c", _RECORDED, tmp_path], capture_output=True, text=True, check=True)
    lowered = min(before + 5, 19) - before
    assert done.stdout.splitlines() == [str(before), "True 0", str(before), f"False {lowered}"]


def test_the_command_gives_way_to_what_it_records(tmp_path: Path) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    asks = "import os; print([os.getpriority(os.PRIO_PROCESS, pid) for pid in (0, os.getppid())]) if input() else None"
    command = [sys.executable, "-m", "sockreel", "record", "-o", str(tmp_path / "t.db"), "--", sys.executable, "-c", asks]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdin is not None and recorder.stdout is not None
        while os.getpriority(os.PRIO_PROCESS, recorder.pid) != min(before + 5, 19):
            assert recorder.poll() is None
            time.sleep(0.002)
        recorder.stdin.write("now\n")
        recorder.stdin.flush()
        assert recorder.stdout.readline() == f"[{before}, {min(before + 5, 19)}]\n"
