"""A run's packets as pcapng, each with a comment that names the calls that sent or read it.

Owns those comments. Packets that were captured are written as they were; where none were, they are made of the calls
(synthetic.py), and the file says so at its head and on every packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from ... import __version__
from ...traces.excerpt import Excerpt
from ...traces.store import named_queries
from ..clock import RunClock
from .pcapng import PcapngWriter
from .synthetic import Made, Synthesis
from .wire import ACK, FIN, RST, SYN, parse_ip

_MOST_CALLS = 12  # named in one comment
_NO_CALL = "the call that moved it is not known"
_WITHOUT_CALL = (
    (RST, "reset"), (SYN | ACK, "handshake: the answer"), (SYN, "handshake: the wish"),
    (FIN, "no more bytes will follow"), (ACK, "acknowledgement"),
)  # fmt: skip
_VERBS = (("send", "sent by"), ("write", "sent by"), ("tls_send", "sent by"), ("accept", "taken by"), ("connect", "awaited by"))


def write_pcapng(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write runs as pcapng, an interface each.

    Args:
        excerpts: which; without payloads, packets are cut behind their headers.
        out: an open binary file.

    Raises:
        TraceError: the trace is damaged.
    """
    captured = [excerpt.run.packets_captured is not None for excerpt in excerpts]
    made = [excerpt.run.name for excerpt, has in zip(excerpts, captured, strict=True) if not has]
    about = "Recorded by sockreel: comments name the calls that sent or read each packet."
    if made:
        about += f" SYNTHETIC: no packets were captured of {', '.join(made)}; its packets were made from recorded calls."
    writer = PcapngWriter(out, f"sockreel {__version__}", about)
    for excerpt, has in zip(excerpts, captured, strict=True):
        pairs = [(row["at_ns"], row["realtime_ns"]) for row in excerpt.trace.named("clocks_of_run", run=excerpt.run.id)]
        clock = RunClock(pairs or [(0, 0)])
        (_write_captured if has else _write_synthetic)(writer, excerpt, clock)


def _write_captured(writer: PcapngWriter, excerpt: Excerpt, clock: RunClock) -> None:
    interface = writer.interface(excerpt.run.name, "packets of the program's sockets, on all interfaces, from the IP header on")
    window = {"run": excerpt.run.id, "start": excerpt.start_ns, "end": excerpt.end_ns}
    calls = _Calls(excerpt.trace.iterate(named_queries()["carried_exported"], window))
    last_ns = 0
    for row in excerpt.trace.iterate(named_queries()["packets_exported"], window):
        frame: bytes = row["frame"]
        length = len(frame)
        segment = parse_ip(frame, length)
        about = ""
        if segment is not None:
            about = next((words for flags, words in _WITHOUT_CALL if segment.flags & flags == flags), "")
            length = max(length, segment.payload_at + segment.payload_bytes)
            frame = frame if excerpt.payload else frame[: segment.payload_at]
        comment = _captured_words(calls.of(row["id"]), row["at_ns"]) or (_NO_CALL if row["payload_bytes"] else about)
        last_ns = clock.realtime_ns(row["at_ns"])
        writer.packet(interface, last_ns, frame, length, comment)
    writer.statistics(interface, last_ns, excerpt.run.packets_captured or 0, excerpt.run.packets_lost or 0)


class _Calls:
    """Rows of calls in the order of their packets, taken packet by packet."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def has(self, packet: int) -> bool:
        """Say whether a packet, not one before those asked for already, has calls."""
        while self._next is not None and self._next["packet_id"] < packet:
            self._next = next(self._rows, None)
        return self._next is not None and bool(self._next["packet_id"] == packet)

    def of(self, packet: int) -> list[Any]:
        """Return the rows of a packet."""
        found = []
        while self.has(packet):
            found.append(self._next)
            self._next = next(self._rows, None)
        return found


def _captured_words(calls: Sequence[Any], at_ns: int) -> str:
    lines = []
    for call in calls[:_MOST_CALLS]:
        verb = next((verb for start, verb in _VERBS if call["operation"].startswith(start)), "read by")
        after_ns = call["started_ns"] + (call["duration_ns"] or 0) - at_ns
        late = f", which returned {after_ns / 1e3:.1f} us later" if verb != "sent by" and call["duration_ns"] is not None else ""
        lines.append(f"{verb} {_call_words(call)}{late}")
    if len(calls) > _MOST_CALLS:
        lines.append(f"and by {len(calls) - _MOST_CALLS:,} more calls")
    return "\n".join(lines)


def _call_words(call: Any) -> str:
    """Return a call in words; rows of both queries have what it takes."""
    keys = call.keys()
    number = call["call_id"] if "call_id" in keys else call["id"]
    result = "" if call["result"] is None else f" -> {call['result']:,}"
    place = f" at {call['file']}:{call['line']}" if call["file"] else ""
    return f"call {number}: {call['operation']}(fd {call['fd']}){result} in {call['thread'] or 'a thread'}{place}"


def _write_synthetic(writer: PcapngWriter, excerpt: Excerpt, clock: RunClock) -> None:
    about = "SYNTHETIC: made from recorded calls, with their times; nothing was captured"
    interface = writer.interface(f"{excerpt.run.name} (synthetic)", about)
    synthesis = Synthesis(excerpt)
    for made in synthesis.packets():
        writer.packet(interface, clock.realtime_ns(made.at_ns), made.frame, made.length, _made_words(made))


def _made_words(made: Made) -> str:
    return f"SYNTHETIC, {made.about}; {_call_words(made.call)}"
