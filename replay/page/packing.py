"""Columns of numbers -> a few bytes that a browser unpacks quickly.

Owns the layout. Knows nothing of calls.

| bytes | what |
| --- | --- |
| 4 | n, little endian |
| n | the head: JSON in ASCII |
| count, up to 4 times per column | its numbers as planes: all lowest bytes, then all second ones ... |
| the rest | bytes, as they are |

All of it is one zlib stream. `head["columns"]` says, in order, [name, count, delta, planes]: planes are four, each the byte
that all of it is, or None where it is stored (most columns are of few bytes, or all alike); a number v stands as
v + 1 and None as 0, in a delta column as zigzag(v - the one before) + 1; what does not fit stands as
0xFFFFFFFF, and its value is in `head["wide"][name]` as {index: v}. replay/page/unpack.js reads it.
"""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import byteorder
from typing import Any

_WIDE = 0xFFFFFFFF
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Column:
    """Numbers with a name.

    Args:
        delta: whether each is near the one before it (none of them is None).
    """

    name: str
    values: Sequence[int | None]
    delta: bool = False


def pack(head: Mapping[str, Any], columns: Sequence[Column] = (), rest: bytes = b"") -> bytes:
    """Return a pack.

    Args:
        head: whatever JSON can say; `columns` and `wide` are added.
        columns: names all different.
        rest: bytes behind the columns.
    """
    wide: dict[str, dict[str, int]] = {}
    planes: list[bytes] = []
    described = []
    for column in columns:
        numbers, too_wide = _deltas(column.values) if column.delta else _plain(column.values)
        if too_wide:
            wide[column.name] = too_wide
        own = _planes(numbers)
        alike = [_alike(plane) for plane in own]
        planes += [plane for plane, byte in zip(own, alike, strict=True) if byte is None]
        described.append([column.name, len(column.values), int(column.delta), alike])
    whole = {**head, "columns": described, "wide": wide}
    text = json.dumps(whole, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    squeeze = zlib.compressobj(_LEVEL)
    parts = [squeeze.compress(part) for part in (len(text).to_bytes(4, "little"), text, *planes, rest)]
    return b"".join([*parts, squeeze.flush()])


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, list[int | None]], bytes]:
    """Return head, columns and rest of a pack: what the page does, for those who check it."""
    raw = zlib.decompress(data)
    at = 4 + int.from_bytes(raw[:4], "little")
    head = json.loads(raw[4:at])
    columns: dict[str, list[int | None]] = {}
    for name, count, delta, alike in head["columns"]:
        planes = []
        for byte in alike:
            planes.append(raw[at:at + count] if byte is None else bytes([byte]) * count)
            at += count if byte is None else 0
        numbers = [int.from_bytes(four, "little") for four in zip(*planes, strict=True)]
        columns[name] = _numbers(numbers, bool(delta), head["wide"].get(name, {}))
    return head, columns, raw[at:]


def _numbers(numbers: Sequence[int], delta: bool, wide: Mapping[str, int]) -> list[int | None]:
    values: list[int | None] = []
    before = 0
    for index, number in enumerate(numbers):
        if number == _WIDE:
            value: int | None = wide[str(index)]
        elif delta:
            value = before + ((number - 1) >> 1 ^ -((number - 1) & 1))
        else:
            value = number - 1 if number else None
        values.append(value)
        before = value or 0
    return values


def _plain(values: Sequence[int | None]) -> tuple[array[int], dict[str, int]]:
    wide = {str(index): value for index, value in enumerate(values) if value is not None and not 0 <= value < _WIDE - 1}
    return array("I", [0 if value is None else value + 1 if 0 <= value < _WIDE - 1 else _WIDE for value in values]), wide


def _deltas(values: Sequence[int | None]) -> tuple[array[int], dict[str, int]]:
    numbers, wide, before = array("I"), {}, 0
    append = numbers.append
    for index, value in enumerate(values):
        here = value or 0
        step = here - before
        coded = (step << 1 if step >= 0 else (-step << 1) - 1) + 1
        if coded < _WIDE:
            append(coded)
        else:
            append(_WIDE)
            wide[str(index)] = here
        before = here
    return numbers, wide


def _planes(numbers: array[int]) -> list[bytes]:
    if byteorder == "big":
        numbers.byteswap()
    raw = numbers.tobytes()
    return [raw[plane::4] for plane in range(4)]


def _alike(plane: bytes) -> int | None:
    """Return the byte that all of a plane is, 0 of an empty one; None where its bytes differ."""
    first = plane[:1]
    return int.from_bytes(first, "little") if plane.count(first) >= len(plane) else None
