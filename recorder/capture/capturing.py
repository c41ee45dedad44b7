"""Capturing while a program is recorded: the socket, the ring, the process that empties it, and how it ends.

Owns the recorder's side of _ring.py, and the spool beside the trace. Knows nothing of what is in a packet.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..launching.place import RecordError
from .kernel_filter import attach

RING_BYTES = 64 << 20
_SCRIPT = Path(__file__).with_name("_ring.py")
_SOL_PACKET, _VERSION, _RX_RING, _STATISTICS, _TPACKET_V3 = 263, 10, 5, 6, 2
_ETH_P_ALL = 3
_BLOCK_BYTES = 1 << 20
_LEAST_BLOCK_BYTES = 1 << 16
_FRAME_BYTES = 2048  # only a measure in version 3: packets lie one behind the other in a block
_RETIRE_MS = 20
_STOP_S = 30.0


@dataclass(frozen=True)
class Counts:
    """How a capture ended.

    Args:
        lost: packets that came and are not in the spool.
        error: why writing it ended early; None: it did not.
    """

    lost: int
    error: str | None


def spool_of(trace: Path, run_id: int) -> Path:
    """Return where the packets of a run wait until it has ended, beside the trace."""
    return trace.with_name(f"{trace.name}-packets-{run_id}")


class Capture:
    """A capture that goes on in a process of its own, until `stop`.

    Args:
        spool: the file to write, readable by its owner only.
        payload_bytes: how much of each payload to keep.
        ring_bytes: of kernel memory for packets that were not read yet.
        most_bytes: the spool grows no larger; what comes then is counted as lost.

    Raises:
        RecordError: packets cannot be captured here.
    """

    def __init__(self, spool: Path, payload_bytes: int, ring_bytes: int = RING_BYTES, most_bytes: int | None = None) -> None:
        self.spool = spool
        self._ended: Counts | None = None
        with _packet_socket(payload_bytes) as packets:
            blocks, block_bytes = _make_ring(packets, ring_bytes)
            packets.getsockopt(_SOL_PACKET, _STATISTICS, 12)  # counts from here on: what found no room before was not the program's
            self._process = self._start(packets, [blocks, block_bytes, most_bytes or 1 << 62])

    def _start(self, packets: socket.socket, numbers: list[int]) -> subprocess.Popen[bytes]:
        number = packets.fileno()
        try:
            self.spool.unlink(missing_ok=True)
            spool = os.open(self.spool, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                # A session of its own: Ctrl-C at the terminal is for the recorded program.
                return subprocess.Popen(
                    [sys.executable, "-I", str(_SCRIPT), str(number), *map(str, numbers)],
                    stdin=subprocess.PIPE, stdout=spool, stderr=subprocess.PIPE, pass_fds=[number], start_new_session=True,
                )  # fmt: skip
            finally:
                os.close(spool)
        except OSError as error:
            raise RecordError(f"packets cannot be captured into {self.spool}: {error.strerror}") from error

    @property
    def pid(self) -> int:
        """The process that captures."""
        return self._process.pid

    def stop(self) -> Counts:
        """End the capture; packets that are on their way are waited for."""
        if self._ended is not None:
            return self._ended
        try:
            _, said = self._process.communicate(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, said = self._process.communicate()
        try:
            told = json.loads(said.decode().splitlines()[-1])
            self._ended = Counts(told["dropped"] + told["left_out"], told["error"])
        except (ValueError, LookupError, TypeError):
            self._ended = Counts(0, f"the process that captured packets ended with status {self._process.returncode}")
        return self._ended

    def remove(self) -> None:
        """End the capture where that has not happened, and remove the spool."""
        self.stop()
        with contextlib.suppress(OSError):
            self.spool.unlink()


def _packet_socket(payload_bytes: int) -> socket.socket:
    """Return a socket for packets from the IP header on, of all interfaces, with its filter (packet(7)).

    What comes before the filter is set waits in the socket's queue, and the making of the ring drops it there.
    """
    try:
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    except PermissionError as error:
        raise RecordError("--packets needs the right to capture (root, or CAP_NET_RAW): without it, add --isolate, "
                          "which runs the program in a network of its own") from error  # fmt: skip
    except OSError as error:
        raise RecordError(f"packets cannot be captured here: {error.strerror}") from error
    try:
        attach(packets, payload_bytes)
    except OSError as error:
        packets.close()
        raise RecordError(f"packets cannot be captured here: the kernel refuses the filter ({error.strerror})") from error
    return packets


def _make_ring(packets: socket.socket, ring_bytes: int) -> tuple[int, int]:
    """Give a socket a ring, a smaller one where there is not memory enough; return its blocks, and bytes in each."""
    packets.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
    while True:
        block_bytes = max(_LEAST_BLOCK_BYTES, min(_BLOCK_BYTES, 1 << (ring_bytes // 4).bit_length() - 1 if ring_bytes > 4 else 0))
        blocks = max(2, ring_bytes // block_bytes)
        frames = blocks * (block_bytes // _FRAME_BYTES)
        try:
            request = struct.pack("=7I", block_bytes, blocks, _FRAME_BYTES, frames, _RETIRE_MS, 0, 0)
            packets.setsockopt(_SOL_PACKET, _RX_RING, request)
        except OSError as error:
            if ring_bytes <= 2 * _LEAST_BLOCK_BYTES:
                packets.close()
                raise RecordError(f"packets cannot be captured: the kernel gives no memory for them ({error.strerror})") from error
            ring_bytes //= 2
        else:
            return blocks, block_bytes
