"""Headers of packets: from a frame of some link to the TCP segment or UDP datagram in it.

Owns the layouts that are needed to tell who sent what to whom, and nothing above them. Every function takes hostile
bytes: what is no whole header is None, never an exception. Sources: RFC 791, 8200, 9293, 768; the link types as
https://www.tcpdump.org/linktypes.html has them.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

TCP, UDP = 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
LINK_NULL, LINK_ETHERNET, LINK_RAW, LINK_LOOP, LINK_SLL, LINK_IPV4, LINK_IPV6, LINK_SLL2 = 0, 1, 101, 108, 113, 228, 229, 276
NOT_IP, SEEN_TWICE = -1, -2

_RAW_LINKS = (LINK_RAW, LINK_IPV4, LINK_IPV6, 12, 14)  # the last two: what BSDs write for raw IP
LINKS = frozenset((LINK_NULL, LINK_ETHERNET, LINK_LOOP, LINK_SLL, LINK_SLL2, *_RAW_LINKS))
_IPV4, _IPV6 = 0x0800, 0x86DD
_VLANS = (0x8100, 0x88A8, 0x9100)
_OUTGOING, _LOOPBACK = 4, 772  # sll_pkttype and ARPHRD_LOOPBACK, packet(7)
_EXTENSIONS = (0, 43, 60)  # of IPv6: hop-by-hop, routing, destination options
_FRAGMENT = 44
_MOST_EXTENSIONS = 8
_MAPPED = bytes(10) + b"\xff\xff"


class Segment(NamedTuple):
    """A TCP segment or a UDP datagram.

    Addresses are packed: 4 or 16 bytes of IP, 2 of the port, all in network order. `payload_bytes` is what it carried,
    of which the frame may hold less; `payload_at` is where it begins in the frame. seq, ack, flags: 0 for UDP.
    """

    protocol: int
    source: bytes
    destination: bytes
    seq: int
    ack: int
    flags: int
    payload_at: int
    payload_bytes: int


def ip_offset(link: int, frame: bytes) -> int:
    """Return where the IP header begins in a frame.

    Returns:
        NOT_IP where there is none; SEEN_TWICE for the copy that the loopback interface shows as it is sent.
    """
    if link in _RAW_LINKS:
        return 0
    if link == LINK_ETHERNET:
        return _after_ethernet(frame)
    if link == LINK_SLL:
        return _cooked(frame, 16, frame[14:16], frame[0:2], frame[2:4])
    if link == LINK_SLL2:
        return _cooked(frame, 20, frame[0:2], b"\0" + frame[10:11], frame[8:10])
    if link in (LINK_NULL, LINK_LOOP) and len(frame) > 4:
        return 4 if frame[4] >> 4 in (4, 6) and (frame[:2] == b"\0\0" or frame[2:4] == b"\0\0") else NOT_IP
    return NOT_IP


def _after_ethernet(frame: bytes) -> int:
    at = 12
    kind = int.from_bytes(frame[at : at + 2], "big")
    while kind in _VLANS and at < 32:
        at += 4
        kind = int.from_bytes(frame[at : at + 2], "big")
    return at + 2 if kind in (_IPV4, _IPV6) else NOT_IP


def _cooked(frame: bytes, header: int, protocol: bytes, kind: bytes, hardware: bytes) -> int:
    if int.from_bytes(protocol, "big") not in (_IPV4, _IPV6):
        return NOT_IP
    if int.from_bytes(kind, "big") == _OUTGOING and int.from_bytes(hardware, "big") == _LOOPBACK:
        return SEEN_TWICE
    return header


def parse_ip(frame: bytes, length: int) -> Segment | None:
    """Return what an IP packet carries; None: no TCP or UDP, a later fragment, or not a whole header.

    Args:
        frame: from the IP header on, perhaps cut.
        length: how long it was on the wire.
    """
    if not frame:
        return None
    version = frame[0] >> 4
    if version == 4:
        return _parse_ipv4(frame, length)
    return _parse_ipv6(frame, length) if version == 6 else None


def _parse_ipv4(frame: bytes, length: int) -> Segment | None:
    at = (frame[0] & 15) * 4
    if at < 20 or len(frame) < at + 8 or (frame[6] & 0x1F) or frame[7]:
        return None
    total = (frame[2] << 8 | frame[3]) or length  # 0: segmented by the card
    return _parse_transport(frame[9], frame, at, total, frame[12:16], frame[16:20])


def _parse_ipv6(frame: bytes, length: int) -> Segment | None:
    if len(frame) < 48:
        return None
    carried = frame[4] << 8 | frame[5]
    total = carried + 40 if carried else length  # 0: a jumbogram
    protocol, at = frame[6], 40
    for _ in range(_MOST_EXTENSIONS):
        if protocol not in _EXTENSIONS and protocol != _FRAGMENT:
            break
        if len(frame) < at + 8 or (protocol == _FRAGMENT and (frame[at + 2] << 8 | frame[at + 3]) & 0xFFF8):
            return None
        protocol, at = frame[at], at + (8 if protocol == _FRAGMENT else 8 * (frame[at + 1] + 1))
    return _parse_transport(protocol, frame, at, total, frame[8:24], frame[24:40])


def _parse_transport(protocol: int, frame: bytes, at: int, total: int, source: bytes, destination: bytes) -> Segment | None:
    if protocol == TCP:
        if len(frame) < at + 20:
            return None
        payload_at = at + (frame[at + 12] >> 4) * 4
        if payload_at < at + 20 or payload_at > total:
            return None
        seq = int.from_bytes(frame[at + 4 : at + 8], "big")
        ack = int.from_bytes(frame[at + 8 : at + 12], "big")
        numbers = (seq, ack, frame[at + 13], payload_at, total - payload_at)
        return Segment(TCP, source + frame[at : at + 2], destination + frame[at + 2 : at + 4], *numbers)
    if protocol == UDP:
        if len(frame) < at + 8 or at + 8 > total:
            return None
        return Segment(UDP, source + frame[at : at + 2], destination + frame[at + 2 : at + 4], 0, 0, 0, at + 8, total - at - 8)
    return None


def headers_of(frame: bytes) -> bytes:
    """Return the headers of an IP packet without what they carry; b'' where it cannot be told where they end."""
    segment = parse_ip(frame, len(frame))
    return b"" if segment is None else frame[: segment.payload_at]


def flag_letters(flags: int) -> str:
    """Return TCP flags as letters: S, SA, PA, FA, R, ..."""
    return "".join(letter for bit, letter in ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "A"), (32, "U")) if flags & bit)


@lru_cache(maxsize=65536)
def address_text(address: bytes) -> str:
    """Return a packed address as calls write it: 127.0.0.1:80, [::1]:80."""
    host, port = address[:-2], int.from_bytes(address[-2:], "big")
    if len(host) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, host)}:{port}"
    return f"[{socket.inet_ntop(socket.AF_INET6, host)}]:{port}"


@lru_cache(maxsize=65536)
def packed_address(text: str | None) -> bytes | None:
    """Return an address of a trace packed; None for what is no IP address with a port. An IPv4 address in IPv6's clothes is IPv4."""
    host, _, port = (text or "").rpartition(":")
    try:
        ip: IPv4Address | IPv6Address = ip_address(host.strip("[]").partition("%")[0])
        number = int(port)
    except ValueError:
        return None
    if not 0 <= number < 65536:
        return None
    whole = ip.packed
    return (whole[12:] if whole.startswith(_MAPPED) else whole) + number.to_bytes(2, "big")
