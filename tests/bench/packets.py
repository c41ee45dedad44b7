"""How many packets a second are captured without loss: `python -m sockreel.tests.bench.packets [RATE] [SECONDS]`.

Owns that measurement: datagrams of 100 bytes on the loopback interface at an even rate, captured as `record --packets` does.
Ends with status 1 where any was lost.
"""

from __future__ import annotations

import json
import resource
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sockreel.recorder.capture.blocks import spooled_frames
from sockreel.recorder.capture.capturing import Capture
from sockreel.recorder.capture.wire import parse_ip

RATE, SECONDS = 50_000, 5.0
_DATA = bytes(100)


def measure_packets(rate: int, seconds: float) -> dict[str, Any]:
    """Send at a rate for a while, and count what was captured.

    Returns:
        sent, sent_per_s, captured, lost (as the capture says of all traffic), capture_cpu_s, spool_bytes.
    """
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1].to_bytes(2, "big")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        capture = Capture(Path(folder) / "spool", 256)
        sent, took_s = _send(mute.getsockname(), rate, seconds)
        lost = capture.stop().lost
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        captured = 0
        for frame in spooled_frames(capture.spool):
            segment = parse_ip(frame.data, frame.length)
            captured += segment is not None and segment.destination[-2:] == port
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        size = capture.spool.stat().st_size
        capture.remove()
    return {"sent": sent, "sent_per_s": round(sent / took_s), "captured": captured, "lost": lost, "capture_cpu_s": round(cpu_s, 2),
            "spool_bytes": size}  # fmt: skip


def _send(address: tuple[str, int], rate: int, seconds: float) -> tuple[int, float]:
    sent, begun_s = 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(address)
        while (passed_s := time.monotonic() - begun_s) < seconds:
            due = int(passed_s * rate)
            while sent < due:
                sender.send(_DATA)
                sent += 1
    return sent, time.monotonic() - begun_s


def main() -> int:
    """Measure once and print it as JSON."""
    measured = measure_packets(int(sys.argv[1]) if len(sys.argv) > 1 else RATE, float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS)
    print(json.dumps(measured))
    return int(measured["captured"] != measured["sent"])


if __name__ == "__main__":
    sys.exit(main())
