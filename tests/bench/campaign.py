"""The whole measurement: which runs, in which order, and what is kept of them.

Owns the order. In each round every tool runs once, the next round begins with the next tool, so that a machine that
warms up, or is busy for a while, is so for all of them. What is kept are the samples: report.py makes figures of them.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import sockreel

from .execution import BenchError, Sample, kill, run, try_tool
from .growth import measure_growth
from .loads import GROWTH, LOADS, Load, Size, shrunk
from .tools import TOOLS, Tool

KEPT = ("cpu_ns", "wall_ns", "recorder_cpu_ns", "disk_bytes", "lost")
_KILLED_AFTER = {False: 100_000, True: 3_000}  # calls, by whether the tool is costly
_NOTHING = Size(0)


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Args:
        pairs: rounds of bare and sockreel.
        costly_rounds: rounds of the other tools, spread among those.
        shrink: by what to divide the loads.
        growth: numbers of calls.
        loads, tools: names.
    """

    pairs: int = 21
    costly_rounds: int = 7
    shrink: int = 1
    growth: Sequence[int] = GROWTH
    loads: Sequence[str] = tuple(LOADS)
    tools: Sequence[str] = tuple(TOOLS)


QUICK = Plan(pairs=3, costly_rounds=2, shrink=4, growth=GROWTH[:3])


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Carry out a plan; returns what docs/measure.json holds."""
    results: dict[str, Any] = {"machine": describe_machine(), "pairs": plan.pairs, "costly_rounds": plan.costly_rounds}
    with tempfile.TemporaryDirectory(prefix="sockreel-bench-") as name:
        folder = Path(name)
        results["tools"] = {}
        working = []
        for tool in (TOOLS[name] for name in plan.tools):
            say(f"trying {tool.title}")
            results["tools"][tool.name] = tried = try_out(tool, folder)
            if not tried["why_not"]:
                working.append(tool)
        results["loads"] = {}
        for load in (shrunk(LOADS[name], plan.shrink) for name in plan.loads):
            results["loads"][load.name] = _measure_load(load, working, plan, folder, say)
        ours = next(tool for tool in working if tool.core)
        results["growth_tool"] = ours.name
        results["growth"] = []
        for calls in plan.growth:
            say(f"growth: {calls:,} calls")
            results["growth"].append(measure_growth(ours, calls, folder))
    results["machine"]["load_average_after"] = round(os.getloadavg()[0], 2)
    return results


def describe_machine() -> dict[str, Any]:
    """Say where this is measured, and how busy that is."""
    models = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": models[0].partition(":")[2].strip() if models else platform.machine(),
        "processors": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sockreel": sockreel.__version__,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _lines(path: str) -> Iterable[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()


def try_out(tool: Tool, folder: Path) -> dict[str, Any]:
    """Say whether a tool works here, what it knows, what it takes to run nothing, and what a sudden death leaves."""
    found: dict[str, Any] = {"why_not": ""}
    try:
        if tool.records:
            found["known"] = try_tool(tool, folder)
            made, left = kill(tool, _KILLED_AFTER[tool.costly], folder)
            found["killed"] = {"made": made, "left": left}
        empty = [run(tool, "recv", _NOTHING, folder) for _ in range(3)]
    except BenchError as error:
        found["why_not"] = str(error)
    else:
        found["start_cpu_ns"] = sorted(sample.recorder_cpu_ns for sample in empty)[1]
        found["empty_bytes"] = min(sample.disk_bytes for sample in empty)
    return found


def _measure_load(load: Load, tools: Sequence[Tool], plan: Plan, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Run a load under every tool, in rounds."""
    bare, *others = tools
    quick = [bare, *(tool for tool in others if not tool.costly)]
    costly = [bare, *(tool for tool in others if tool.costly)]
    every = max(1, plan.pairs // max(1, plan.costly_rounds))
    sizes: dict[str, dict[str, list[Sample]]] = {"full": {}, "small": {}}
    for n in range(plan.pairs):
        say(f"{load.name}: round {n + 1} of {plan.pairs}")
        _round(sizes["full"], load.name, load.full, quick, n, folder)
        if n % every == 0 and len(costly) > 1 and n // every < plan.costly_rounds:
            _round(sizes["small"], load.name, load.small, costly, n // every, folder)
    return {name: {tool: _kept(samples) for tool, samples in by_tool.items()} for name, by_tool in sizes.items()}


def _round(samples: dict[str, list[Sample]], load: str, size: Size, tools: Sequence[Tool], n: int, folder: Path) -> None:
    first = n % len(tools)
    for tool in (*tools[first:], *tools[:first]):
        try:
            sample = run(tool, load, size, folder)
        except BenchError as error:
            raise BenchError(f"{tool.title}, {load}: {error}") from error
        samples.setdefault(tool.name, []).append(sample)


def _kept(samples: Sequence[Sample]) -> dict[str, Any]:
    return {"calls": samples[0].calls, **{name: [getattr(sample, name) for sample in samples] for name in KEPT}}


def print_progress(line: str) -> None:
    """Say where we are, on one line of a terminal."""
    print(f"\r\x1b[K{line}" if sys.stderr.isatty() else line, end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
