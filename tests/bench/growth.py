"""How recording, finishing, `stats` and `show` grow with the number of calls.

Owns these measurements; each command is run as a user runs it, and its memory is that of its process alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .execution import BenchError, run, start
from .loads import Size
from .tools import Tool

_PATIENCE_S = 400.0


def measure_growth(tool: Tool, calls: int, folder: Path) -> dict[str, Any]:
    """Record a loop of `calls` fruitless receives, and look at the trace.

    Returns:
        calls, lost, trace_bytes, and for recording, finishing, stats and show their wall time and peak memory.

    Raises:
        BenchError: something failed.
    """
    sample = run(tool, "recv", Size(calls), folder, _PATIENCE_S)
    trace = folder / "output.json"
    grown: dict[str, Any] = {
        "calls": calls,
        "lost": sample.lost,
        "trace_bytes": sample.disk_bytes,
        "recording_ns": sample.wall_ns,
        "finishing_ns": sample.finishing_ns,
        "record_cpu_ns": sample.recorder_cpu_ns,
        "record_peak_bytes": sample.peak_bytes,
    }
    for command in ("stats", "show"):
        with start((sys.executable, "-m", "sockreel", command, trace), folder, _PATIENCE_S) as started:
            usage = started.ended()
        if usage.status:
            raise BenchError(f"sockreel {command} ended with {usage.status}: {started.errors.read_text()[-300:]}")
        grown[f"{command}_ns"] = usage.wall_ns
        grown[f"{command}_peak_bytes"] = usage.peak_bytes
    return grown
