"""Slots apart into columns: the fields of many calls at once.

Owns where each field of a slot is found. Knows the layout (agent/layout.py), no files.
"""

from __future__ import annotations

import struct
from typing import Literal

from ..agent import layout

_SLOT = struct.Struct("<" + layout.SLOT_FIELDS)


def varying_in_python(slots: bytes) -> bytes:
    """Return as many bytes as a slot has: 0 where all slots have the same byte."""
    columns = [slots[at :: layout.SLOT_BYTES] for at in range(layout.SLOT_BYTES)]
    return bytes(column.count(column[:1]) != len(column) for column in columns)


_MOST_NUMBER = 1_000_000_000  # of a thread, a socket, a place, an address: beyond are those of the next process
_FARTHEST_NS = 1 << 59  # 18 years
_MOST_MOVED = 1 << 50
_MOST_BEHIND = layout.SLOTS  # a parent has drawn its number before, but for a signal between
_OPERATIONS, _OUTCOMES = frozenset(layout.OPERATIONS.values()), frozenset(layout.OUTCOMES.values())
KNOWN = bytes((code in _OPERATIONS) | (code in _OUTCOMES) << 1 for code in range(256))
"""What `spoilt` asks for: which codes there are."""


def spoilt_in_python(slots: bytes, first: int, known: bytes) -> list[int]:
    """Find slots that no agent could have written: a program may write anywhere in its own memory.

    Args:
        slots: whole slots.
        first: number of the first.
        known: KNOWN.

    Returns:
        Their places, from 0 on.
    """
    places = []
    for at, slot in enumerate(_SLOT.iter_unpack(slots)):
        thread, socket, started, _, _, parent, site, _, peer, operation, duration, result, ready, _, outcome, _, state = slot
        sense = 0 < thread < _MOST_NUMBER and max(socket, site, peer) < _MOST_NUMBER and operation < 256 and known[operation] & 1
        sense = sense and 0 <= started < _FARTHEST_NS and 0 <= parent <= first + at + _MOST_BEHIND
        if sense and state != layout.OPEN:
            sense = outcome < 256 and known[outcome] & 2 and 0 <= duration < _FARTHEST_NS and 0 <= ready < _FARTHEST_NS
            sense = sense and (result == layout.NOTHING or -_MOST_MOVED < result < _MOST_MOVED)
        if not sense:
            places.append(at)
    return places


try:
    from ._slots import spoilt as spoilt
    from ._slots import varying as varying
except ImportError:  # not built
    spoilt, varying = spoilt_in_python, varying_in_python

# Where each field of a slot is found when the bytes are seen as an array of one type.
_FIELD_VIEWS: dict[str, tuple[Literal["I", "q", "H", "i"], int, int]] = {
    "thread": ("I", 0, 4),
    "socket": ("I", 4, 4),
    "started_ns": ("q", 8, 8),
    "asked": ("q", 16, 8),
    "timeout_ns": ("q", 24, 8),
    "parent": ("q", 32, 8),
    "site": ("I", 40, 4),
    "flags": ("I", 44, 4),
    "peer": ("I", 48, 4),
    "operation": ("H", 52, 2),
    "duration_ns": ("q", 56, 8),
    "result": ("q", 64, 8),
    "ready_ns": ("q", 72, 8),
    "errno": ("i", 80, 4),
    "outcome": ("H", 84, 2),
    "ready_source": ("H", 86, 2),
}


def slot_columns(data: bytes) -> dict[str, list[int]]:
    """Return slots column by column: a list per field of the layout, without their state.

    Args:
        data: whole slots.
    """
    return {name: slot_column(data, name) for name in _FIELD_VIEWS}


def slot_values(data: bytes) -> dict[str, list[int] | int]:
    """Return slots column by column, and one number for a column that holds nothing else: most do.

    Args:
        data: whole slots, at least one.
    """
    differs = varying(data)
    columns: dict[str, list[int] | int] = {}
    for name, (code, at, size) in _FIELD_VIEWS.items():
        view = memoryview(data).cast(code)[at // size :: layout.SLOT_BYTES // size]
        columns[name] = view.tolist() if any(differs[at : at + size]) else view[0]
    return columns


def slot_column(data: bytes, name: str) -> list[int]:
    """Return one field of slots.

    Args:
        data: whole slots.
        name: of the field, as in the layout.
    """
    code, at, size = _FIELD_VIEWS[name]
    return memoryview(data).cast(code)[at // size :: layout.SLOT_BYTES // size].tolist()


def field_place(name: str) -> tuple[int, int]:
    """Return where a field stands in a slot, and how many bytes it takes."""
    _, at, size = _FIELD_VIEWS[name]
    return at, size


def without_sockets(slots: bytes) -> bytes:
    """Return slots whose calls are on no socket: to be counted all together."""
    at, size = field_place("socket")
    changed, nothing = bytearray(slots), bytes(len(slots) // layout.SLOT_BYTES)
    for byte in range(at, at + size):
        changed[byte :: layout.SLOT_BYTES] = nothing
    return bytes(changed)
