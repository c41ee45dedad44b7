"""The reading side of the tape: what the agents of a run have written, in any order, once.

Owns finding tapes, reading slots and cells, and freeing segments. Knows the layout (agent/layout.py),
not the trace.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..agent import layout
from .head import Head as Head
from .head import read_head as read_head


def varying_in_python(slots: bytes) -> bytes:
    """Return as many bytes as a slot has: 0 where all slots have the same byte."""
    columns = [slots[at :: layout.SLOT_BYTES] for at in range(layout.SLOT_BYTES)]
    return bytes(column.count(column[:1]) != len(column) for column in columns)


try:
    from ._slots import varying as varying
except ImportError:  # not built
    varying = varying_in_python


_STATE_STRIDE = layout.SLOT_BYTES // 4
_STATE_WORD = layout.SLOT_STATE_AT // 4
_OPERATION_AT = 52  # see the table in agent/layout.py
_CELL_STRIDE = layout.CELL_BYTES // 4
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
_CHUNK = 2048  # slots whose state is looked at in one step


class Note(NamedTuple):
    """One note: a NOTE_ code, its key, its bytes."""

    kind: int
    key: int
    data: bytes

    def fields(self) -> list[str]:
        """Return the note's text fields."""
        return [part.decode("utf-8", "surrogateescape") for part in self.data.split(b"\0")]


@dataclass(frozen=True)
class Block:
    """Complete slots that follow each other.

    Args:
        first: number of the first slot.
        data: their bytes, a multiple of layout.SLOT_BYTES.
    """

    first: int
    data: bytes


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


def _was_closing(slot: bytes) -> bool:
    """Say whether a slot without a state is that of a call which was begun.

    struct.pack_into, of the Python core, clears what it will write, the state with it: killed at that moment, the
    call shows only by what was written at its beginning, of which the operation came last. (The C core clears
    nothing, and writes in any order.)
    """
    return not any(slot[layout.SLOT_STATE_AT :]) and any(slot[_OPERATION_AT : _OPERATION_AT + 2])


@dataclass
class _Segment:
    map: mmap.mmap
    path: Path
    words: memoryview
    waiting: set[int] = field(default_factory=set)
    passed: bool = False

    def free(self) -> None:
        self.words.release()
        self.map.close()
        self.path.unlink(missing_ok=True)


class Stream:
    """One stream of segments of one process: calls ("c") or notes ("n").

    `position` is the number up to which everything was looked at; `waiting` holds the numbers below
    it that were empty or open then.
    """

    def __init__(self, folders: tuple[Path, ...], name: str, kind: str) -> None:
        self.folders = folders
        self.name = name
        self.kind = kind
        self.bits = layout.SLOT_BITS if kind == "c" else layout.CELL_BITS
        self.size = layout.SEGMENT_BYTES[kind]
        self.stride = _STATE_STRIDE if kind == "c" else _CELL_STRIDE
        self.item_bytes = self.stride * 4
        self.position = 0
        self.segments: dict[int, _Segment] = {}
        self.cleared = False  # whether the state of a call that is being closed is cleared for a moment

    def file(self, number: int, folder: Path) -> Path:
        """Return where a segment is."""
        return folder / f"{self.name}.{self.kind}{number:06d}"

    def segment(self, number: int) -> _Segment | None:
        """Return a mapped segment, None where it does not exist (yet)."""
        found = self.segments.get(number)
        if found is not None:
            return found
        for folder in self.folders:
            path = self.file(number, folder)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                continue
            try:
                if os.fstat(descriptor).st_size < self.size:
                    continue
                mapped = mmap.mmap(descriptor, self.size)
            finally:
                os.close(descriptor)
            found = self.segments[number] = _Segment(mapped, path, memoryview(mapped).cast("I"))
            return found
        return None

    def states(self, segment: _Segment, start: int, stop: int) -> list[int]:
        """Return the state words of the items [start, stop) of a segment."""
        words = segment.words[start * self.stride + self.stride - 1 : (stop - 1) * self.stride + self.stride : self.stride]
        return words.tolist()

    def item(self, number: int) -> bytes:
        """Return the bytes of one item of a mapped segment."""
        segment = self.segments[number >> self.bits]
        at = (number & ((1 << self.bits) - 1)) * self.item_bytes
        return segment.map[at : at + self.item_bytes]

    def advance(self, failed: frozenset[int], ended: bool, most: int) -> Iterator[tuple[int, list[int]]]:
        """Walk over what was written since the last time.

        Args:
            failed: segments that the agent could not have; passed over.
            ended: the process is gone: a missing segment is passed over if a later one exists.
            most: stop after about so many items.

        Yields:
            (number of the first item, state words from there), up to the last item that was begun.
        """
        full = 1 << self.bits
        stop = self.position + most
        while self.position < stop:
            number, index = self.position >> self.bits, self.position & (full - 1)
            segment = self.segment(number)
            if segment is None:
                if number not in failed and not (ended and self._later_exists(number)):
                    return
                stop += full - index  # nothing to take there
                self.position = (number + 1) << self.bits
                continue
            states = self.states(segment, index, min(index + _CHUNK, full))
            if ended and self.cleared:
                at = number << self.bits | index
                states = [state or (layout.OPEN if _was_closing(self.item(at + n)) else 0) for n, state in enumerate(states)]
            begun = len(states)
            while begun and not states[begun - 1]:
                begun -= 1
            if not begun:
                if number not in failed and not self._goes_on_behind(number, index + len(states), ended):
                    return
                # Whoever drew these numbers was stopped before it wrote anything, or will write later; nobody waits for it.
                states = [] if number in failed else states
                begun = full - index if number in failed else len(states)
            first = self.position
            self.position += begun
            segment.passed = self.position >> self.bits != number
            if states:
                yield first, states[:begun]
            else:
                stop += begun

    def _goes_on_behind(self, number: int, index: int, ended: bool) -> bool:
        """Say whether anything was begun behind a stretch of a segment in which nothing was.

        A stretch as long as that is no gap in a living process: only at the border of a segment is it short.
        """
        full = 1 << self.bits
        segment = self.segments[number]
        while index < full:
            if not ended:
                return False
            if any(self.states(segment, index, min(index + _CHUNK, full))):
                return True
            index += _CHUNK
        following = self.segment(number + 1)
        if following is None:
            return ended and self._later_exists(number)
        return any(self.states(following, 0, _CHUNK)) or (ended and self._later_exists(number + 1))

    def _later_exists(self, number: int) -> bool:
        return any(later > number for later in self._on_tape())

    def _on_tape(self) -> list[int]:
        """Return the numbers of the segments whose files are there."""
        return [
            int(path.name.rpartition(".")[2][1:])
            for folder in self.folders
            for path in folder.glob(f"{self.name}.{self.kind}[0-9][0-9][0-9][0-9][0-9][0-9]")
        ]

    def free_done(self, needed: Collection[int] = ()) -> None:
        """Give back every segment that was read to its end; call it after a commit.

        Args:
            needed: numbers of items that must stay.
        """
        kept = {number >> self.bits for number in needed}
        done = [number for number, segment in self.segments.items() if segment.passed and not segment.waiting]
        for number in done:
            if number not in kept:
                self.segments.pop(number).free()

    def unread(self) -> list[int]:
        """Return the numbers below `position` that were empty or open when they were looked at."""
        return sorted(number for segment in self.segments.values() for number in segment.waiting)

    def resume(self, position: int, unread: Collection[int]) -> None:
        """Go on where another reader stopped: what lies below, and was committed, is not read again.

        Args:
            position, unread: as that reader had them at its last commit.
        """
        self.position = position
        for number in {number >> self.bits for number in unread} | {number for number in self._on_tape() if number < position >> self.bits}:
            segment = self.segment(number)
            if segment is not None:
                segment.passed = number < position >> self.bits
                segment.waiting = {item for item in unread if item >> self.bits == number}

    def close(self) -> None:
        """Free everything: the process has ended and all of it was read."""
        for segment in self.segments.values():
            segment.free()
        self.segments.clear()
        for folder in self.folders:
            for path in folder.glob(f"{self.name}.{self.kind}*"):
                path.unlink(missing_ok=True)


class TapeReader:
    """Everything one process writes.

    Args:
        folders: the tape directory and, where there is one, the spill directory.
        path: of the head.
        head: what it says, where that is known.

    Raises:
        ValueError: this is no head that this version can read.
    """

    def __init__(self, folders: tuple[Path, ...], path: Path, head: Head | None = None) -> None:
        self.folders = folders
        self.path = path
        self.head = head or read_head(path)
        self.calls = Stream(folders, self.head.name, "c")
        self.calls.cleared = self.head.core == "python"
        self.notes = Stream(folders, self.head.name, "n")
        self._parts: dict[int, dict[int, tuple[int, bytes]]] = {}  # serial -> part -> number of its cell, data

    def lost(self) -> tuple[int, int]:
        """Return (calls that found no place, errors that the agent swallowed)."""
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            content = file.read(layout.HEAD.size)
            unpacked = layout.HEAD.unpack(content)
            return unpacked[8], unpacked[9]
        return 0, 0

    def _failed(self, stream: str) -> frozenset[int]:
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            content = file.read(layout.HEAD_BYTES)
            at = layout.HEAD_FAILED_AT[stream]
            count = min(int.from_bytes(content[at : at + 4], "little"), layout.FAILED_MAX)
            return frozenset(struct.unpack_from(f"<{count}I", content, layout.HEAD_FAILED_LIST_AT[stream]))
        return frozenset()

    def read_calls(self, ended: bool = False, most: int = 1 << 62) -> tuple[list[Block], list[tuple[int, bytes]]]:
        """Return what became complete since the last time.

        Args:
            ended: the process is gone.
            most: stop after about so many slots; what is left comes next time.

        Returns:
            Blocks of slots never seen before, and single (number, slot) that were open until now. Of each
            thread that is a stretch without a gap: what it did before any of these calls came now or earlier.
        """
        blocks: list[Block] = []
        stream = self.calls
        for first, states in stream.advance(self._failed("c"), ended, most):
            segment = stream.segments[first >> stream.bits]
            base = first & (layout.SLOTS - 1)
            start = 0
            count = len(states)
            while start < count:
                state = states[start]
                stop = start + 1
                if state == layout.COMPLETE:
                    while stop < count and states[stop] == layout.COMPLETE:
                        stop += 1
                    at = (base + start) * layout.SLOT_BYTES
                    blocks.append(Block(first + start, segment.map[at : (base + stop) * layout.SLOT_BYTES]))
                elif state != layout.VOID:
                    segment.waiting.add(first + start)
                start = stop
        # Only now: a call that was open when its neighbours were read has returned if its thread went on to any of them.
        return blocks, self._recheck()

    def _recheck(self) -> list[tuple[int, bytes]]:
        late: list[tuple[int, bytes]] = []
        for segment in self.calls.segments.values():
            for number in sorted(segment.waiting):
                slot = self.calls.item(number)
                state = int.from_bytes(slot[layout.SLOT_STATE_AT :], "little")
                if state in (layout.COMPLETE, layout.VOID):
                    segment.waiting.discard(number)
                    if state == layout.COMPLETE:
                        late.append((number, slot))
        return late

    def open_calls(self) -> list[tuple[int, bytes]]:
        """Return (number, slot) of every call that was begun and has not returned."""
        return [
            (number, slot)
            for segment in self.calls.segments.values()
            for number in sorted(segment.waiting)
            for slot in [self.calls.item(number)]
            if int.from_bytes(slot[layout.SLOT_STATE_AT :], "little") == layout.OPEN or (self.calls.cleared and _was_closing(slot))
        ]

    def read_notes(self, ended: bool = False) -> list[Note]:
        """Return the notes that became whole since the last time."""
        notes: list[Note] = []
        stream = self.notes
        for segment in stream.segments.values():
            for number in sorted(segment.waiting):
                cell = layout.CELL.unpack(stream.item(number))
                if cell[-1] == layout.COMPLETE:
                    segment.waiting.discard(number)
                    self._take_cell(number, cell, notes)
        for first, states in stream.advance(self._failed("n"), ended, 1 << 62):
            segment = stream.segments[first >> stream.bits]
            at = (first & (layout.CELLS - 1)) * layout.CELL_BYTES
            cells = layout.CELL.iter_unpack(segment.map[at : at + len(states) * layout.CELL_BYTES])
            for number, state, cell in zip(range(first, first + len(states)), states, cells, strict=True):
                if state != layout.COMPLETE:
                    # Looked at anew: it may have been written while those behind it were looked at, and what one
                    # thread wrote must be taken in its order (a socket's end after its beginning).
                    cell = layout.CELL.unpack(stream.item(number))
                    if cell[-1] != layout.COMPLETE:
                        segment.waiting.add(number)
                        continue
                self._take_cell(number, cell, notes)
        return notes

    def _take_cell(self, number: int, cell: tuple[Any, ...], notes: list[Note]) -> None:
        kind, part, total, key, serial, data, _ = cell
        if total <= layout.CELL_DATA_BYTES:
            notes.append(Note(kind, key, data[:total]))
            return
        parts = self._parts.setdefault(serial, {})
        parts[part] = number, data
        if len(parts) * layout.CELL_DATA_BYTES >= total:
            del self._parts[serial]
            notes.append(Note(kind, key, b"".join([parts[at][1] for at in sorted(parts)])[:total]))

    def _cells_of_parts(self) -> list[int]:
        """Return the cells of notes that are not whole yet: whoever reads after us needs them again."""
        return [number for parts in self._parts.values() for number, _ in parts.values()]

    def free_done(self) -> None:
        """Give back what was read; call it after a commit."""
        self.calls.free_done()
        self.notes.free_done(self._cells_of_parts())

    def progress(self) -> dict[str, Any]:
        """Return how far this was read, for `resume`."""
        calls, notes = self.calls, self.notes
        unread = sorted([*notes.unread(), *self._cells_of_parts()])
        return {"calls": calls.position, "open": calls.unread(), "notes": notes.position, "parts": unread}

    def resume(self, progress: Mapping[str, Any]) -> None:
        """Go on where another reader was at its last commit."""
        self.calls.resume(progress["calls"], progress["open"])
        self.notes.resume(progress["notes"], progress["parts"])

    def stop_agent(self) -> None:
        """Tell the process to record no more, from its next segment on."""
        with contextlib.suppress(OSError), self.path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), b"\1\0\0\0", layout.HEAD_STOP_AT)

    def close(self) -> None:
        """Free everything this process left on the tape."""
        self.calls.close()
        self.notes.close()
        self.path.unlink(missing_ok=True)
