"""Writes pcapng: the file that Wireshark reads, with comments.

Owns that layout (draft-ietf-opsawg-pcapng), every block of which begins with u32 type and u32 length, holds options of
u16 code, u16 length and a value padded to 4 bytes, and ends with u32 length again. Times are in nanoseconds.

    section header 0x0A0D0D0A   u32 byte order   u16 1, u16 0: version   i64 -1: length not told   options
    interface      1            u16 link type    u16 0                   u32 longest frame, 0: any options
    packet         6            u32 interface    u64 time, high word first   u32 kept   u32 length  frame, padded   options
    statistics     5            u32 interface    u64 time, high word first   options
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from .wire import LINK_RAW

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
BYTE_ORDER = 0x1A2B3C4D
_COMMENT, _APPLICATION = 1, 4
_NAME, _RESOLUTION = 2, 9
_RECEIVED, _DROPPED = 4, 5
_MOST_COMMENT_BYTES = 8_000
_MOST_TIME = (1 << 64) - 1


class PcapngWriter:
    """Writes one section to an open binary file.

    Args:
        out: the file.
        application: what wrote it, with its version.
        comment: on the whole.
    """

    def __init__(self, out: BinaryIO, application: str, comment: str) -> None:
        self._out = out
        self._interfaces = 0
        options = _option(_COMMENT, _text(comment)) + _option(_APPLICATION, _text(application))
        self._block(SECTION, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1), options)

    def interface(self, name: str, comment: str) -> int:
        """Begin an interface, whose frames begin with an IP header; return its number."""
        options = _option(_COMMENT, _text(comment)) + _option(_NAME, _text(name)) + _option(_RESOLUTION, b"\x09")
        self._block(INTERFACE, struct.pack("<HHI", LINK_RAW, 0, 0), options)
        self._interfaces += 1
        return self._interfaces - 1

    def packet(self, interface: int, realtime_ns: int, frame: bytes, length: int, comment: str) -> None:
        """Write a packet.

        Args:
            interface: its number.
            realtime_ns: when, since the epoch.
            frame: what there is of it.
            length: what it had on the wire.
            comment: on it; none where empty.
        """
        time = min(max(realtime_ns, 0), _MOST_TIME)
        head = struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(frame), max(length, len(frame)))
        self._block(PACKET, head + _padded(frame), _option(_COMMENT, _text(comment)) if comment else b"")

    def statistics(self, interface: int, realtime_ns: int, received: int, dropped: int) -> None:
        """Write what was captured and lost on an interface."""
        time = min(max(realtime_ns, 0), _MOST_TIME)
        options = _option(_RECEIVED, struct.pack("<Q", received)) + _option(_DROPPED, struct.pack("<Q", dropped))
        self._block(STATISTICS, struct.pack("<III", interface, time >> 32, time & 0xFFFFFFFF), options)

    def _block(self, kind: int, body: bytes, options: bytes) -> None:
        if options:
            body += options + bytes(4)
        length = struct.pack("<I", len(body) + 12)
        self._out.write(struct.pack("<I", kind) + length + body + length)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _text(text: str) -> bytes:
    """Return a text as comments take it: nothing in it drives a terminal, and it is not too long."""
    shown = "".join(letter if letter.isprintable() or letter == "\n" else f"\\x{ord(letter):02x}" for letter in text)
    return shown.encode("utf-8", "backslashreplace")[:_MOST_COMMENT_BYTES].decode("utf-8", "ignore").encode()
