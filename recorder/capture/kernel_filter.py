"""The filter that the kernel runs on every packet before it is captured: classic BPF, written by hand.

Owns the program. It lets TCP and UDP pass, each packet once, and cuts it behind the headers as far as payloads are wanted.
Which of them are the program's own is decided later: the port of a connection that the program makes is not known before its
first packet has gone. Source: the kernel's Documentation/networking/filter.rst.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from dataclasses import dataclass

_SO_ATTACH_FILTER = 26
_ANCILLARY = 0x1_0000_0000 - 0x1000  # SKF_AD_OFF
_PROTOCOL, _PACKET_TYPE, _INTERFACE = _ANCILLARY, _ANCILLARY + 4, _ANCILLARY + 8
_OUTGOING = 4
_LOAD, _LOAD_HALF, _LOAD_BYTE, _LOAD_BYTE_X = 0x20, 0x28, 0x30, 0x50  # the last: at X + k
_HEADER_X = 0xB1  # X = 4 * (byte at k & 15): the length of an IPv4 header
_TO_A = 0x87
_EQUAL, _ANY_BIT = 0x15, 0x45
_AND, _SHIFT_RIGHT, _ADD, _ADD_X = 0x54, 0x74, 0x04, 0x0C
_RETURN, _RETURN_A = 0x06, 0x16


@dataclass(frozen=True)
class _Step:
    """One instruction; jumps name the label they go to, and go on to the next where none is named."""

    code: int
    k: int = 0
    yes: str = ""
    no: str = ""
    label: str = ""


def _steps(loopback: int, payload_bytes: int) -> list[_Step]:
    return [
        # What is sent over the loopback interface comes back at once: once is enough.
        _Step(_LOAD, _PACKET_TYPE),
        _Step(_EQUAL, _OUTGOING, no="seen once"),
        _Step(_LOAD, _INTERFACE),
        _Step(_EQUAL, loopback, yes="drop"),
        _Step(_LOAD, _PROTOCOL, label="seen once"),
        _Step(_EQUAL, 0x0800, yes="ipv4"),
        _Step(_EQUAL, 0x86DD, yes="ipv6", no="drop"),
        _Step(_LOAD_HALF, 6, label="ipv4"),
        _Step(_ANY_BIT, 0x1FFF, yes="drop"),  # a later fragment has no ports
        _Step(_HEADER_X, 0),
        _Step(_LOAD_BYTE, 9),
        _Step(_EQUAL, 6, yes="tcp over ipv4"),
        _Step(_EQUAL, 17, no="drop"),
        _Step(_TO_A),
        _Step(_ADD, 8 + payload_bytes),
        _Step(_RETURN_A),
        _Step(_LOAD_BYTE_X, 12, label="tcp over ipv4"),
        _Step(_AND, 0xF0),
        _Step(_SHIFT_RIGHT, 2),
        _Step(_ADD_X),
        _Step(_ADD, payload_bytes),
        _Step(_RETURN_A),
        _Step(_LOAD_BYTE, 6, label="ipv6"),
        _Step(_EQUAL, 6, yes="tcp over ipv6"),
        _Step(_EQUAL, 17, no="drop"),
        _Step(_RETURN, 48 + payload_bytes),
        _Step(_LOAD_BYTE, 52, label="tcp over ipv6"),
        _Step(_AND, 0xF0),
        _Step(_SHIFT_RIGHT, 2),
        _Step(_ADD, 40 + payload_bytes),
        _Step(_RETURN_A),
        _Step(_RETURN, 0, label="drop"),
    ]


def filter_program(loopback: int, payload_bytes: int) -> bytes:
    """Return the program as the kernel takes it: per instruction u16 code, u8 and u8 how far to jump, u32 k.

    Args:
        loopback: index of the loopback interface.
        payload_bytes: how much of a payload is kept.
    """
    steps = _steps(loopback, payload_bytes)
    places = {step.label: place for place, step in enumerate(steps) if step.label}

    def distance(place: int, label: str) -> int:
        return places[label] - place - 1 if label else 0

    return b"".join(
        struct.pack("=HBBI", step.code, distance(place, step.yes), distance(place, step.no), step.k) for place, step in enumerate(steps)
    )


def attach(packets: socket.socket, payload_bytes: int) -> None:
    """Put the filter on a packet socket.

    Raises:
        OSError: the kernel refuses it.
    """
    try:
        loopback = socket.if_nametoindex("lo")
    except OSError:
        loopback = 0
    program = filter_program(loopback, payload_bytes)
    kept = ctypes.create_string_buffer(program, len(program))
    packets.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(kept)))
