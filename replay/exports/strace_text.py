"""Calls as text in the manner of `strace -f -ttt -T`: for eyes and for scripts that read strace.

Owns how a call is put. Arguments are what the trace knows of them; payloads are in quotes with C escapes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from ...traces.excerpt import Excerpt
from ..words import visible

_SHORT = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"}
_BLOCK = 5_000


def write_strace(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write calls as text, one a line: thread, seconds since the run's start, call, result, time it took.

    Args:
        excerpts: whose calls; several are told apart by a line with their run's name.
        out: an open binary file.

    Raises:
        TraceError: the trace is damaged.
    """
    for excerpt in excerpts:
        if len(excerpts) > 1:
            out.write(f"# {visible(excerpt.run.name)}\n".encode())
        natives = {row["id"]: row["native_id"] for row in excerpt.trace.named("threads_of_run", run=excerpt.run.id)}
        lines: list[str] = []
        for call in excerpt.calls():
            lines.append(_line(call, natives.get(call["thread_id"])))
            if len(lines) >= _BLOCK:
                out.write("".join(lines).encode())
                lines.clear()
        out.write("".join(lines).encode())


def _line(call: Mapping[str, Any], native: int | None) -> str:
    arguments = [] if call["fd"] is None else [str(call["fd"])]
    if isinstance(call["payload"], bytes):
        arguments.append(_quoted(call["payload"], call["payload_size"] or 0))
    if call["asked"] is not None:
        arguments.append(str(call["asked"]))
    if call["peer"]:
        arguments.append(f"{{{visible(call['peer'])}}}")
    place = f"  # {visible(call['file'])}:{call['line']}" if call["file"] else ""
    start_ns = call["started_ns"]
    at = f"{start_ns // 10**9}.{start_ns % 10**9:09d}"
    head = f"{native or call['thread_id']:>7} {at} {visible(call['operation'])}({', '.join(arguments)})"
    if call["duration_ns"] is None:
        return f"{head} <unfinished ...>{place}\n"
    return f"{head} = {_result(call)} <{call['duration_ns'] // 10**9}.{call['duration_ns'] % 10**9:09d}>{place}\n"


def _result(call: Mapping[str, Any]) -> str:
    code = call["errno"]
    if code and call["outcome"] != "ok":
        name = errno.errorcode.get(code, str(code))
        return f"-1 {name} ({os.strerror(code)})"
    if call["outcome"] in ("ok", "eof", "in_progress"):
        return str(call["result"] if call["result"] is not None else 0)
    return f"? {visible(call['outcome'] or '')}" if call["result"] is None else f"{call['result']} ({visible(call['outcome'] or '')})"


def _quoted(data: bytes, size: int) -> str:
    shown = data[:64]
    text = "".join(_SHORT.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in shown)
    return f'"{text}"' + ("..." if size > len(shown) else "")
