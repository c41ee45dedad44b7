"""Packets out of the blocks that _ring.py wrote.

Owns that layout, which is the kernel's (struct tpacket_block_desc and tpacket3_hdr, linux/if_packet.h), in the machine's order:

    block:    8 u32 status   12 u32 packets   16 u32 offset of the first   20 u32 length of the block, its head included
    packet:   0 u32 offset of the next, from here   4 u32 s   8 u32 ns   12 u32 bytes kept   16 u32 bytes on the wire
             24 u16 offset of the frame, from here
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from .frames import Frame
from .wire import LINK_RAW

_HEAD_BYTES = 48
_BLOCK = struct.Struct("=8xIIII")
_PACKET = struct.Struct("=IIIII4xH")
_MOST_BLOCK_BYTES = 64 << 20


def spooled_frames(path: Path) -> Iterator[Frame]:
    """Yield the frames of a spool, up to its end or to where it makes no sense: the capturer may have been killed.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        while len(head := file.read(_HEAD_BYTES)) == _HEAD_BYTES:
            _, count, first, length = _BLOCK.unpack_from(head)
            if not _HEAD_BYTES <= length <= _MOST_BLOCK_BYTES:
                return
            yield from _frames(head + file.read(length - _HEAD_BYTES), count, first)


def _frames(block: bytes, count: int, at: int) -> Iterator[Frame]:
    for _ in range(count):
        if at + _PACKET.size > len(block):
            return
        step, seconds, nanoseconds, kept, length, frame_at = _PACKET.unpack_from(block, at)
        start = at + frame_at
        if start + kept > len(block):
            return
        yield Frame(seconds * 1_000_000_000 + nanoseconds, LINK_RAW, block[start : start + kept], length)
        if not step:
            return
        at += step
