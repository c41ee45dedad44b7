"""Runs a load under a tool once, and says what that took.

Owns processes, their limits in time, and a folder for what tools write. Knows nothing of medians and tables.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .loads import Size
from .outputs import Record, core_of
from .tools import Command, Tool

PROGRAMS = Path(__file__).resolve().parent / "programs"
_PATIENCE_S = 120.0
_SPINS = 10_000_000  # the most that a program to be killed would do, if nobody killed it


class BenchError(Exception):
    """A run that did not do what it should: one line."""


@dataclass(frozen=True)
class Sample:
    """One run of a load under a tool.

    Args:
        calls: made by the load.
        cpu_ns, wall_ns: of the load, by its own clocks.
        recorder_cpu_ns: of everything else: starting and ending the interpreter, and the tool.
        finishing_ns: from the end of the load to the end of the tool.
        disk_bytes: what the tool left.
        lost: calls that were made and are not there.
        peak_bytes: memory of the largest process.
    """

    calls: int
    cpu_ns: int
    wall_ns: int
    recorder_cpu_ns: int
    finishing_ns: int
    disk_bytes: int
    lost: int
    peak_bytes: int


@dataclass(frozen=True)
class Usage:
    """What a command used: status, wall and CPU time, peak memory, and when it ended (monotonic)."""

    status: int
    wall_ns: int
    cpu_ns: int
    peak_bytes: int
    ended_ns: int


@dataclass
class Started:
    """A command that runs: its process, and where its standard error and its usage go."""

    process: subprocess.Popen[str]
    errors: Path
    usage: Path

    def line(self) -> dict[str, Any]:
        """Return the next JSON line that the program prints.

        Raises:
            BenchError: it ended without one.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
        said = [line for line in self.errors.read_text(errors="replace").splitlines() if line.strip()]
        raise BenchError(said[-1] if said else "it ended without a word")

    def ended(self) -> Usage:
        """Wait for the end."""
        assert self.process.stdout is not None
        for _ in self.process.stdout:
            pass
        self.process.wait()
        return Usage(**json.loads(self.usage.read_text()))


@contextmanager
def start(command: Command, folder: Path, patience_s: float = _PATIENCE_S) -> Iterator[Started]:
    """Start a command in a session of its own; whatever is left of that at the end is killed."""
    errors, usage = folder / "stderr", folder / "usage.json"
    usage.unlink(missing_ok=True)
    # -S, -E: it needs nothing, and stays small.
    whole = [sys.executable, "-S", "-E", str(PROGRAMS / "usage.py"), str(usage), *map(str, command)]
    with errors.open("w") as file:
        process = subprocess.Popen(
            whole, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file, text=True, start_new_session=True
        )
    watch = threading.Timer(patience_s, _kill, (process.pid,))
    watch.start()
    with process:
        try:
            yield Started(process, errors, usage)
        finally:
            watch.cancel()
            _kill(process.pid)


def _kill(session: int) -> None:
    try:
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        pass


def program(load: str, count: int, *more: str | Path) -> Command:
    """Return the command line of a load."""
    return (sys.executable, PROGRAMS / "load.py", load, str(count), *more)


def run(tool: Tool, load: str, size: Size, folder: Path, patience_s: float = _PATIENCE_S) -> Sample:
    """Run a load under a tool.

    Raises:
        BenchError: it did not run to its end, or not as asked.
    """
    output = _clean(folder)
    with start(tool.command(output, program(load, size.count)), folder, patience_s) as started:
        ready = started.line()
        if "port" in ready and size.connections:
            clients = (sys.executable, PROGRAMS / "clients.py", str(ready["port"]), str(size.connections), str(size.rounds))
            talk = subprocess.run(list(map(str, clients)), capture_output=True, text=True, timeout=patience_s)
            if talk.returncode:
                raise BenchError(f"the clients failed: {talk.stderr.strip().splitlines()[-1]}")
        done = started.line()
        usage = started.ended()
    if usage.status:
        raise BenchError(f"{tool.title} ended with {usage.status}")
    return _sample(tool, output, done, usage)


def _clean(folder: Path) -> Path:
    for old in folder.glob("output*"):
        old.unlink()
    return folder / "output.json"


def _sample(tool: Tool, output: Path, done: Mapping[str, Any], usage: Usage) -> Sample:
    calls: dict[str, int] = done["calls"]
    lost = sum(max(0, made - tool.count(output, kind)) for kind, made in calls.items()) if tool.count else 0
    if tool.core and core_of(output) != tool.core:
        raise BenchError(f"the tape was written by the core {core_of(output)}")
    return Sample(
        calls=sum(calls.values()),
        cpu_ns=done["cpu_ns"],
        wall_ns=done["wall_ns"],
        recorder_cpu_ns=usage.cpu_ns - (done["process_cpu_ns"] if tool.waits else 0),
        finishing_ns=usage.ended_ns - done["ended_ns"],
        disk_bytes=_size(output),
        lost=lost,
        peak_bytes=usage.peak_bytes,
    )


def _size(output: Path) -> int:
    return sum(path.stat().st_size for path in (output, output.with_name(f"{output.name}-wal")) if path.exists())


def try_tool(tool: Tool, folder: Path) -> dict[str, bool]:
    """Let a tool look at two receives of which everything is known.

    Returns:
        What it knows of each: fd, peer, bytes, errno, line.

    Raises:
        BenchError: it does not work here: why.
    """
    output = _clean(folder)
    try:
        with start(tool.command(output, program("probe", 1)), folder, 30.0) as started:
            truth = started.line()
            started.line()
            started.ended()
        records = tool.read(output) if tool.read else []
    except (OSError, ValueError):
        records = []  # It wrote nothing, or nothing that can be read.
    if len(records) != 2:
        said = [line for line in started.errors.read_text(errors="replace").splitlines() if line.strip()]
        raise BenchError(f"it saw {len(records)} of 2 calls" + (f" ({said[-1]})" if said else ""))
    return known(records, truth)


def known(records: list[Record], truth: Mapping[str, Any]) -> dict[str, bool]:
    """Compare what a tool says of the probe's two receives with what they were."""
    fruitless, fruitful = records
    return {
        "fd": all(record.fd == truth["fd"] for record in records),
        "peer": all(str(truth["port"]) in (record.peer or "") for record in records),
        "bytes": fruitful.result == truth["bytes"],
        "errno": fruitless.errno in ("EAGAIN", "11"),
        "line": all(f":{line}" in (record.line or "") for record, line in zip(records, truth["lines"], strict=True)),
    }


def kill(tool: Tool, after_calls: int, folder: Path) -> tuple[int, int]:
    """Kill the program with SIGKILL while it calls.

    Returns:
        Calls that the program had counted, and calls that the tool's output holds.
    """
    output = _clean(folder)
    counter = folder / "counter"
    counter.write_bytes(bytes(8))
    with start(tool.command(output, program("spin", _SPINS, counter)), folder) as started, counter.open("r+b") as file:
        pid = started.line()["pid"]
        shared = mmap.mmap(file.fileno(), 8)
        while int.from_bytes(shared[:8], sys.byteorder) < after_calls and started.process.poll() is None:
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        started.ended()
        made = int.from_bytes(shared[:8], sys.byteorder)
    try:
        return made, tool.count(output, "recv") if tool.count else 0
    except (OSError, ValueError):
        return made, 0  # nothing there
