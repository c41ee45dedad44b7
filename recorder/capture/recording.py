"""The packets of a run that is being recorded: from its start to its rows.

Owns when the capture begins and ends, what is said of it, and what a recorder that died has left. Knows neither headers
nor streams.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from ...traces import TraceError
from ...traces.packet_rows import forget_packets
from ...traces.writer import RunWriter
from .blocks import spooled_frames
from .capturing import RING_BYTES, Capture, spool_of
from .taking import take_packets


class RunPackets:
    """A capture for one run.

    Args:
        writer: of the run, which has begun.
        payload_bytes: how much of each payload to keep.
        ring_bytes: of kernel memory for packets that were not read yet; None: as much as is good in general.
        most_bytes: that packets may take until the run has ended; None: no matter.

    Raises:
        RecordError: packets cannot be captured here.

    `kept`, `lost`: packets, once `finish` was called.
    """

    def __init__(self, writer: RunWriter, payload_bytes: int, ring_bytes: int | None, most_bytes: int | None) -> None:
        self._writer = writer
        self._capture = Capture(spool_of(writer.path, writer.run_id), payload_bytes, ring_bytes or RING_BYTES, most_bytes)
        self.kept = self.lost = 0

    def finish(self, end_ns: int) -> list[str]:
        """End the capture, and write what it saw of the program's sockets.

        Args:
            end_ns: of the run, in its time.

        Returns:
            What went otherwise than it should, a line each.
        """
        counts = self._capture.stop()
        self.lost = counts.lost
        complaints = [f"packets could not be captured to the end: {counts.error}"] if counts.error else []
        if counts.lost:
            complaints.append(f"{counts.lost:,} packets were lost, perhaps of other programs, too: a larger --packet-buffer holds more")
        writer = self._writer
        if writer.muted:
            return complaints
        try:
            with writer.apart():
                self.kept = take_packets(writer, spooled_frames(self._capture.spool), end_ns).kept
                writer.update_run(packets_captured=self.kept, packets_lost=self.lost)
        except (TraceError, OSError) as error:
            self.kept = 0
            complaints.append(f"packets are not in the trace: {error}")
        return complaints

    def remove(self) -> None:
        """End the capture where it still goes on, and remove what waits beside the trace."""
        self._capture.remove()


def recover_packets(writer: RunWriter, end_ns: int) -> int | None:
    """Write what a capture saw whose recorder died; None: there was none. How many were lost nobody knows.

    Args:
        writer: of the run, all of whose calls are written.
        end_ns: of the run, in its time.

    Raises:
        TraceError: the trace cannot be written.
    """
    spool: Path = spool_of(writer.path, writer.run_id)
    if not spool.is_file():
        return None
    forget_packets(writer)
    try:
        kept = take_packets(writer, spooled_frames(spool), end_ns).kept
    except OSError:
        return None
    writer.update_run(packets_captured=kept, packets_lost=None)
    return kept


def remove_spool(trace: Path, run_id: int) -> None:
    """Remove what waits beside a trace for one of its runs."""
    with contextlib.suppress(OSError):
        spool_of(trace, run_id).unlink()
