"""Tracks as Chrome's JSON trace format, which about:tracing, Perfetto and speedscope read.

Owns that JSON: complete events (`X`), flows (`s`, `f`), counters (`C`), names (`M`); times in microseconds.
Source: "Trace Event Format", by the Chromium project.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from ...traces.excerpt import Excerpt
from .tracks import Count, Slice, Track, Tracks

_BLOCK = 2_000


def write_chrome(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write runs as one JSON object with `traceEvents`, one event a line; each run begins at 0.

    Args:
        excerpts: the runs.
        out: an open binary file.

    Raises:
        TraceError: the trace is damaged.
    """
    out.write(b'{"displayTimeUnit":"ns","traceEvents":[\n')
    lines: list[str] = []
    first = True
    for item in Tracks(excerpts).items():
        for event in _events(item):
            lines.append(_text(event))
        if len(lines) >= _BLOCK:
            out.write(((b"" if first else b",\n")) + ",\n".join(lines).encode("ascii"))
            lines.clear()
            first = False
    if lines:
        out.write((b"" if first else b",\n") + ",\n".join(lines).encode("ascii"))
    out.write(b"\n]}\n")


def _text(event: dict[str, Any]) -> str:
    # Times are written digit by digit: a float would lose nanoseconds of a long run.
    times = "".join(f',"{key}":{event.pop(key)}' for key in ("ts", "dur") if key in event)
    text = json.dumps(event, ensure_ascii=True, separators=(",", ":")).replace("\x7f", "\\u007f")
    return f"{text[:-1]}{times}}}"


def _us(ns: int) -> str:
    return f"{ns // 1000}.{ns % 1000:03d}"


def _events(item: Track | Slice | Count) -> Iterator[dict[str, Any]]:
    if isinstance(item, Track):
        if item.kind == "process":
            yield {"ph": "M", "name": "process_name", "pid": item.pid, "args": {"name": item.name}}
        elif item.kind != "counter":
            yield {"ph": "M", "name": "thread_name", "pid": item.pid, "tid": item.tid, "args": {"name": item.name}}
            if item.kind == "child":
                yield {"ph": "M", "name": "thread_sort_index", "pid": item.pid, "tid": item.tid, "args": {"sort_index": item.tid}}
    elif isinstance(item, Count):
        yield {"ph": "C", "name": item.track.name, "pid": item.track.pid, "ts": _us(item.at_ns), "args": {item.track.unit: item.value}}
    else:
        place = {"pid": item.track.pid, "tid": item.track.tid}
        yield {"ph": "X", "name": item.name, "cat": item.category, **place, "ts": _us(item.start_ns),
               "dur": _us(item.end_ns - item.start_ns), "args": dict(item.told)}
        for name, start_ns, end_ns in item.phases:
            yield {"ph": "X", "name": name, "cat": "phase", **place, "ts": _us(start_ns), "dur": _us(end_ns - start_ns), "args": {}}
        for flow in item.out:
            yield {"ph": "s", "name": "leads to", "cat": "link", "id": flow, **place, "ts": _us(item.start_ns)}
        for flow in item.into:
            yield {"ph": "f", "bp": "e", "name": "leads to", "cat": "link", "id": flow, **place, "ts": _us(item.start_ns)}
