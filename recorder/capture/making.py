"""IP packets made by hand: headers in front of what is known of a payload.

Owns the layouts for writing (RFC 791, 8200, 9293, 768) and their checksums.
"""

from __future__ import annotations

import struct

from .wire import TCP, UDP

_WINDOW = 0xFFFF
_HOPS = 64


def make_tcp(source: bytes, destination: bytes, seq: int, ack: int, flags: int, data: bytes, size: int) -> tuple[bytes, int]:
    """Return a TCP segment from its IP header on, and its length on the wire.

    Args:
        source, destination: packed addresses with ports, of one family.
        data: what is known of its payload.
        size: of the payload; where it is more than is known, the packet is as one that was cut when captured.
    """
    head = source[-2:] + destination[-2:] + struct.pack(">IIBBHHH", seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, _WINDOW, 0, 0)
    return _make(TCP, source[:-2], destination[:-2], head, 16, data, size)


def make_udp(source: bytes, destination: bytes, data: bytes, size: int) -> tuple[bytes, int]:
    """Return a UDP datagram from its IP header on, and its length on the wire; arguments as for `make_tcp`."""
    head = source[-2:] + destination[-2:] + struct.pack(">HH", size + 8, 0)
    return _make(UDP, source[:-2], destination[:-2], head, 6, data, size)


def _make(protocol: int, source: bytes, destination: bytes, head: bytes, sum_at: int, data: bytes, size: int) -> tuple[bytes, int]:
    carried = len(head) + size
    if len(data) == size:
        pseudo = source + destination + struct.pack(">II", carried, protocol)
        checksum = _checksum(pseudo + head + data) or (0xFFFF if protocol == UDP else 0)
        head = head[:sum_at] + checksum.to_bytes(2, "big") + head[sum_at + 2 :]
    if len(source) == 4:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + carried, 0, 0x4000, _HOPS, protocol, 0) + source + destination
        ip = ip[:10] + _checksum(ip).to_bytes(2, "big") + ip[12:]
    else:
        ip = struct.pack(">IHBB", 0x6000_0000, carried, protocol, _HOPS) + source + destination
    return ip + head + data, len(ip) + carried


def _checksum(data: bytes) -> int:
    """Return the ones' complement sum of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
