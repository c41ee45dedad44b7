"""A recorded run's clients as a workload: what they sent and when, to be played against any server.

Owns how received bytes become messages. Knows rows of a trace, and the words of workload.py's files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, BinaryIO

from ...traces import TraceError
from ...traces.excerpt import Excerpt
from .workload import MAX_FILE_BYTES

_APART_NS = 5_000_000
"""Bytes that came so much later than those before are a message of their own."""


@dataclass
class _Message:
    after_ns: int
    data: bytearray = field(default_factory=bytearray)
    cut: int = 0  # bytes that the trace does not hold, and that are filled up
    answered: bool = False


@dataclass
class _Caller:
    connect_ns: int
    messages: list[_Message] = field(default_factory=list)
    leave: str = "stay"


def write_workload(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write what the clients of one run did as a workload file (docs/workloads.md).

    Args:
        excerpts: one.
        out: an open binary file.

    Raises:
        TraceError: the trace is damaged, has no payloads, no client connected, or they said too much for a workload file.
    """
    excerpt = excerpts[0]
    rows = excerpt.trace.named("said_of_run", run=excerpt.run.id, start=excerpt.start_ns, end=excerpt.end_ns)
    # Known before it is written: what was said stands in the file, a byte of it at least for each.
    if sum(row["size"] for row in rows if row["receives"] and row["outcome"] == "ok") > MAX_FILE_BYTES:
        raise _too_large()
    exchanges: dict[int, list[Any]] = {}
    for row in excerpt.trace.named("exchanges_of_run", run=excerpt.run.id):
        if row["socket_id"] is not None and row["sent_ns"] is not None and row["sent_bytes"]:
            exchanges.setdefault(row["socket_id"], []).append(row)
    callers = [_caller(list(own), exchanges.get(socket, [])) for socket, own in groupby(rows, key=lambda row: row["socket_id"])]
    if not callers:
        raise TraceError(f"{excerpt.trace.path}: no client that said anything connected in run {excerpt.run.name}")
    cut = sum(message.cut for caller in callers for message in caller.messages)
    said = sum(len(message.data) for caller in callers for message in caller.messages)
    if not excerpt.payload or (said and cut == said):
        raise TraceError(f"{excerpt.trace.path} holds no payloads of run {excerpt.run.name}: record with --payload 64K or more")
    text = "".join(_lines(excerpt, callers, cut))
    if len(text) > MAX_FILE_BYTES:
        raise _too_large()
    out.write(text.encode("utf-8"))


def _too_large() -> TraceError:
    return TraceError(f"the workload would be larger than {MAX_FILE_BYTES:,} bytes: take a part of the run with --from and --to")


def _caller(rows: list[Any], exchanges: list[Any]) -> _Caller:
    """Return one client: as it said itself where it belonged to a workload, else as the server received it."""
    caller = _Caller(rows[0]["opened_ns"] or 0)
    now_ns = caller.connect_ns
    for row in rows:
        if row["outcome"] != "ok":
            caller.leave = "reset" if row["outcome"] == "reset" else "close"
        elif row["receives"] and row["size"] > 0:
            apart = row["ended_ns"] - now_ns >= _APART_NS
            if not caller.messages or caller.messages[-1].answered or apart:
                caller.messages.append(_Message(max(0, row["ended_ns"] - now_ns)))
            kept = bytes(row["data"] or b"")[: row["size"]]
            caller.messages[-1].data += kept.ljust(row["size"], b"?")
            caller.messages[-1].cut += row["size"] - len(kept)
            now_ns = row["ended_ns"]
        elif not row["receives"] and row["size"] > 0:
            if caller.messages:
                caller.messages[-1].answered = True
            now_ns = row["ended_ns"]
    stream = b"".join(message.data for message in caller.messages)
    if exchanges and sum(row["sent_bytes"] for row in exchanges) == len(stream):
        caller.messages = list(_exchanged(exchanges, stream, sum(message.cut for message in caller.messages)))
        caller.connect_ns = exchanges[0]["connected_ns"] or caller.connect_ns
    return caller


def _exchanged(exchanges: Sequence[Any], stream: bytes, cut: int) -> Iterator[_Message]:
    """Yield the messages as the client knew them: their borders and its own times."""
    before_ns, at = exchanges[0]["connected_ns"] or exchanges[0]["sent_ns"], 0
    for row in exchanges:
        data = bytearray(stream[at : at + row["sent_bytes"]])
        message = _Message(max(0, row["sent_ns"] - before_ns), data, cut, row["answered_bytes"] > 0)
        before_ns, at, cut = row["answered_ns"] or row["sent_ns"], at + row["sent_bytes"], 0
        yield message


def _lines(excerpt: Excerpt, callers: Sequence[_Caller], cut: int) -> Iterator[str]:
    first_ns = min(caller.connect_ns for caller in callers)
    last_ns = max(caller.connect_ns + sum(message.after_ns for message in caller.messages) for caller in callers)
    if cut:
        yield f"# {cut:,} bytes are not in the trace (--payload): question marks stand for them.\n"
    yield f"description = {json.dumps('the clients of ' + excerpt.run.name[:80])}\n"
    yield f'limit = "{(last_ns - first_ns) // 1_000_000 * 2 + 10_000}ms"\n'
    for number, caller in enumerate(callers, 1):
        connect_us = (caller.connect_ns - first_ns) // 1000
        yield f'\n[[clients]]\nname = "client-{number}"\nconnect = "{connect_us}us"\nleave = "{caller.leave}"\nsay = [\n'
        for message in caller.messages:
            expect = "any" if message.answered else "none"
            yield f'  {{ {_data(bytes(message.data))}, after = "{message.after_ns // 1000}us", expect = "{expect}" }},\n'
        yield "]\n"


def _data(data: bytes) -> str:
    """Return bytes as a TOML key and value: as text where that is plain ASCII, else in hexadecimal."""
    if all(32 <= byte < 127 or byte in b"\n\r\t" for byte in data):
        return f"text = {json.dumps(data.decode('ascii'))}"
    return f'bytes = "{data.hex()}"'
