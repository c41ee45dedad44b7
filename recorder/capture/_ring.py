"""Empties a packet ring into a file; a script of its own, run as `python -I _ring.py FD BLOCKS BLOCK_BYTES MOST_BYTES`.

Owns the reader's side of TPACKET_V3 (Documentation/networking/packet_mmap.rst). Standard library only, and no packet is
looked at: whole blocks go into the file as the kernel wrote them (blocks.py reads them later), so that the reader costs
next to nothing per packet. It inherits the socket, its ring made and its filter set; it needs no rights.

stdin:  its end ends the capture.
stdout: the file. MOST_BYTES: the file grows no larger; what does not go into it is counted as lost.
stderr: one JSON line: packets (written), dropped (by the kernel: the ring was full), left_out (there was no room in the
        file), error (null, or why writing ended).
"""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_STATISTICS = 263, 6
STATUS_AT, COUNT_AT, LENGTH_AT = 8, 12, 20  # in a block's head, struct tpacket_block_desc
USER = 1  # the block is ours
LINGER_S = 0.1  # the kernel hands a block over that is not full after 20 ms


class Reader:
    """Walks round the ring."""

    def __init__(self, descriptor: int, blocks: int, block_bytes: int, most_bytes: int) -> None:
        self.descriptor, self.blocks, self.block_bytes, self.most_bytes = descriptor, blocks, block_bytes, most_bytes
        self.ring = mmap.mmap(descriptor, blocks * block_bytes, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self.view = memoryview(self.ring)
        self.next = 0
        self.written = self.packets = self.left_out = 0
        self.error: str | None = None

    def empty(self) -> bool:
        """Take every block that is full; return whether there was any."""
        found = False
        while True:
            start = self.next * self.block_bytes
            (status,) = struct.unpack_from("=I", self.ring, start + STATUS_AT)
            if not status & USER:
                return found
            found = True
            count, = struct.unpack_from("=I", self.ring, start + COUNT_AT)
            length, = struct.unpack_from("=I", self.ring, start + LENGTH_AT)
            if count:
                self.keep(start, min(length, self.block_bytes), count)
            struct.pack_into("=I", self.ring, start + STATUS_AT, 0)
            self.next = (self.next + 1) % self.blocks

    def keep(self, start: int, length: int, count: int) -> None:
        """Write a block, or count what was in it."""
        if self.error is None and self.written + length <= self.most_bytes:
            try:
                at, end = start, start + length
                while at < end:
                    at += os.write(1, self.view[at:end])
            except OSError as error:
                self.error = error.strerror or str(error)
                try:
                    os.ftruncate(1, self.written)  # no half block
                    os.lseek(1, self.written, os.SEEK_SET)
                except OSError:
                    pass
            else:
                self.written += length
                self.packets += count
                return
        self.left_out += count


def main() -> None:
    """Capture until stdin ends."""
    descriptor, blocks, block_bytes, most_bytes = map(int, sys.argv[1:5])
    # Ctrl-C is for the program; we end when the recorder says so, or is gone.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    reader = Reader(descriptor, blocks, block_bytes, most_bytes)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLERR)
    poll.register(0, select.POLLIN | select.POLLHUP)
    ends_at = None
    while ends_at is None or time.monotonic() < ends_at:
        reader.empty()
        ready = dict(poll.poll(1000 if ends_at is None else 10))
        if ends_at is None and 0 in ready and not os.read(0, 64):
            poll.unregister(0)
            ends_at = time.monotonic() + LINGER_S
    reader.empty()
    packets = socket.socket(fileno=descriptor)
    _, dropped, _ = struct.unpack("=III", packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12))
    said = {"packets": reader.packets, "dropped": dropped, "left_out": reader.left_out, "error": reader.error}
    sys.stderr.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
