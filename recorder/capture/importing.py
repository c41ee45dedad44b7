"""A capture that was made elsewhere, brought into a trace.

Owns when that is refused, and what is said of it. Packets are chosen by the addresses and times of the run's sockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import SockreelError
from ...traces import create_trace, open_trace
from ...traces.packet_rows import clocks_of, forget_packets, has_packets
from ...traces.report import read_json
from ...traces.store import Run
from ...traces.writer import RunWriter
from ..clock import RunClock
from .capture_file import CaptureFile
from .frames import Frame
from .taking import Taken, take_packets


class MisfitError(SockreelError):
    """A capture that does not fit the run: one line, with what to do."""


@dataclass(frozen=True)
class Imported:
    """What came of it.

    Args:
        run: it went into.
        taken: what became of each frame.
        timeless: packets that say of no time when they came.
        complaint: why a rest of the file was left out; None: there was none.
        log_stays: whether the newest part of the trace stands beside it, because somebody reads it.
    """

    run: Run
    taken: Taken
    timeless: int
    complaint: str | None
    log_stays: bool


def import_capture(capture: Path, trace: Path, selector: str | None, replace: bool = False) -> Imported:
    """Bring those packets of a capture into a run that its sockets sent and received.

    Args:
        capture: pcap or pcapng.
        trace: changed in place, all or nothing.
        selector: label or id of the run; None: the only or last one.
        replace: whether packets that are there may be taken out first.

    Raises:
        SockreelError: no capture, no trace, no such run, a run that goes on, or none of its packets.
    """
    file = CaptureFile(capture)
    with open_trace(trace) as opened:
        run = opened.find_run(selector)
    if run.duration_ns is None:
        raise MisfitError(f"{trace}#{run.name} has not ended: let it end, or `sockreel recover` it")
    writer = RunWriter(trace, create_trace(trace, "append"))
    try:
        writer.run_id = run.id
        return _import(file, writer, run, replace)
    finally:
        writer.close()


def _import(file: CaptureFile, writer: RunWriter, run: Run, replace: bool) -> Imported:
    settings = read_json(run.settings, dict) or {}
    payload_bytes = settings.get("payload_bytes")
    with writer.alone():
        if has_packets(writer):
            if not replace:
                raise MisfitError(f"{writer.path}#{run.name} has packets already: --force replaces them")
            forget_packets(writer)
        span = _Span()
        most = payload_bytes if isinstance(payload_bytes, int) else None
        taken = take_packets(writer, span.over(file.frames()), run.duration_ns or 0, most)
        if not taken.kept:
            raise MisfitError(_why_none(file, writer, run, taken, span))
        writer.update_run(packets_captured=taken.kept, packets_lost=None)
    return Imported(run, taken, file.timeless, file.complaint, not writer.finish())


class _Span:
    """From when to when a capture goes."""

    def __init__(self) -> None:
        self.first_ns: int | None = None
        self.last_ns = 0

    def over(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield the frames on their way."""
        for frame in frames:
            if self.first_ns is None:
                self.first_ns = frame.realtime_ns
            self.last_ns = frame.realtime_ns
            yield frame


def _why_none(file: CaptureFile, writer: RunWriter, run: Run, taken: Taken, span: _Span) -> str:
    if file.complaint is not None and not taken.seen:
        return file.complaint
    if span.first_ns is None:
        return f"{file.path} holds no packets" + (f" that have a time ({file.timeless:,} have none)" if file.timeless else "")
    if taken.links and sum(taken.links.values()) == taken.seen:
        links = ", ".join(map(str, sorted(taken.links)))
        return f"{file.path} was captured on links of a type that is not read ({links}): capture on Ethernet, loopback or `any`"
    clock = RunClock(clocks_of(writer) or [(0, 0)])
    start_ns, end_ns = clock.realtime_ns(0), clock.realtime_ns(run.duration_ns or 0)
    if span.last_ns < start_ns or span.first_ns > end_ns:
        away_s = (start_ns - span.last_ns if span.last_ns < start_ns else span.first_ns - end_ns) / 1e9
        when = "before the run began" if span.last_ns < start_ns else "after the run had ended"
        return f"{file.path} was captured at another time: {away_s:,.3f} s {when}"
    return f"none of the {taken.seen:,} packets in {file.path} is of a socket of {writer.path}#{run.name}"
