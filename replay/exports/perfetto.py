"""Tracks as a native Perfetto trace: TrackEvent packets in protobuf.

Owns the few messages of perfetto/trace/*.proto that this takes, written field by field. Names are interned, so that a million
calls of one operation carry it once. Source: "Synthetic TrackEvent", perfetto.dev; field numbers of perfetto_trace.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ...traces.excerpt import Excerpt
from .tracks import Count, Slice, Track, Tracks

_SEQUENCE = 1
_BEGIN, _END, _COUNTER = 1, 2, 4
_CLEARED, _NEEDS_STATE = 1, 2
_NO_MERGING = 2
_BLOCK_BYTES = 1 << 20
_UNITS = {"bytes": 3}


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value & 0xFFFFFFFFFFFFFFFF)


def _fixed(field: int, value: int) -> bytes:
    return _varint(field << 3 | 1) + value.to_bytes(8, "little")


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode("utf-8", "replace"))


class _Names:
    """Interned strings of one kind: a number for each, announced in the packet that uses it first."""

    def __init__(self, field: int) -> None:
        self._field = field
        self._numbers: dict[str, int] = {}
        self.fresh: list[bytes] = []

    def number(self, name: str) -> int:
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self._numbers) + 1
            self.fresh.append(_bytes(self._field, _number(1, found) + _text(2, name)))
        return found


class _Writer:
    def __init__(self) -> None:
        self._categories, self._names, self._keys = _Names(1), _Names(2), _Names(3)
        self._first = True

    def packets(self, item: Track | Slice | Count) -> Iterator[bytes]:
        if isinstance(item, Track):
            yield self._packet(_bytes(60, _descriptor(item)))
        elif isinstance(item, Count):
            yield self._event(item.at_ns, _number(9, _COUNTER) + _number(11, item.track.id) + _number(30, item.value))
        else:
            yield self._begin(item)
            for name, start_ns, end_ns in item.phases:
                event = _number(9, _BEGIN) + _number(11, item.track.id) + _number(10, self._names.number(name))
                yield self._event(start_ns, event + _number(3, self._categories.number("phase")))
                yield self._event(end_ns, _number(9, _END) + _number(11, item.track.id))
            yield self._event(item.end_ns, _number(9, _END) + _number(11, item.track.id))

    def _begin(self, item: Slice) -> bytes:
        event = [_number(9, _BEGIN), _number(11, item.track.id), _number(10, self._names.number(item.name)),
                 _number(3, self._categories.number(item.category))]
        for key, value in item.told.items():
            told = _text(6, value) if isinstance(value, str) else _number(4, value)
            event.append(_bytes(4, _number(1, self._keys.number(key)) + told))
        event += [_fixed(47, flow) for flow in item.out]
        event += [_fixed(48, flow) for flow in item.into]
        return self._event(item.start_ns, b"".join(event))

    def _event(self, at_ns: int, event: bytes) -> bytes:
        return self._packet(_number(8, max(0, at_ns)) + _bytes(11, event))

    def _packet(self, content: bytes) -> bytes:
        fresh = b"".join(part for names in (self._categories, self._names, self._keys) for part in names.fresh)
        for names in (self._categories, self._names, self._keys):
            names.fresh.clear()
        flags = _NEEDS_STATE | (_CLEARED if self._first else 0)
        self._first = False
        head = _number(10, _SEQUENCE) + _number(13, flags) + (_bytes(12, fresh) if fresh else b"")
        return _bytes(1, head + content)


def _descriptor(track: Track) -> bytes:
    parts = [_number(1, track.id)]
    if track.kind == "process":
        parts.append(_bytes(3, _number(1, track.pid) + _text(6, track.name)))
    elif track.kind == "thread":
        parts.append(_bytes(4, _number(1, track.pid) + _number(2, track.tid) + _text(5, track.name)))
    else:
        parts += [_text(2, track.name), _number(5, track.parent or 0)]
        if track.kind == "counter":
            # Counters of one kind share their scale over all processes and runs.
            unit = _number(3, _UNITS[track.unit]) if track.unit in _UNITS else _text(6, track.unit)
            parts.append(_bytes(8, unit + _text(7, track.name)))
        else:
            parts.append(_number(15, _NO_MERGING))
    return b"".join(parts)


def write_perfetto(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write runs as one native Perfetto trace; each begins at 0.

    Args:
        excerpts: the runs.
        out: an open binary file.

    Raises:
        TraceError: the trace is damaged.
    """
    writer = _Writer()
    block = bytearray()
    for item in Tracks(excerpts).items():
        for packet in writer.packets(item):
            block += packet
        if len(block) >= _BLOCK_BYTES:
            out.write(block)
            block.clear()
    out.write(block)
