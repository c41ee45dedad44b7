"""The reading side of the tape: what the agents of a run have written, in any order, once.

Owns one process' tape: its head, its calls and its notes. Knows the layout (agent/layout.py), not the trace.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..agent import layout
from .found import TAPE_NAME
from .head import Head as Head
from .head import read_head as read_head
from .slots import KNOWN, spoilt
from .stream import Stream, was_closing

_MOST_TOLD = 1 << 50  # calls lost, as a head tells it
_OPEN_STATE = layout.OPEN.to_bytes(4, "little")


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
        if not TAPE_NAME.fullmatch(self.head.name):
            raise ValueError(f"no tape is named {self.head.name:.80}")
        self.calls = Stream(folders, self.head.name, "c")
        self.calls.cleared = self.head.core == "python"
        self.notes = Stream(folders, self.head.name, "n")
        self.spoilt = 0  # calls left out because no agent could have written them so
        self._parts: dict[int, dict[int, tuple[int, bytes]]] = {}  # serial -> part -> number of its cell, data

    def lost(self) -> tuple[int, int]:
        """Return (calls that found no place, or whose place is gone, errors that the agent swallowed)."""
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            content = file.read(layout.HEAD.size)
            if len(content) == layout.HEAD.size:
                unpacked = layout.HEAD.unpack(content)
                told = unpacked[8] if unpacked[8] < _MOST_TOLD else 0  # else that, too, is spoilt
                return told + self.calls.gone + self.spoilt, unpacked[9]
        return self.calls.gone + self.spoilt, 0

    def is_torn(self) -> bool:
        """Say whether files of it are gone that nobody has read: somebody cleared the folder. Call it before `close`."""
        return bool(self.calls.gone or self.notes.gone) or (self.path.parent in self.calls.folders and not self.path.exists())

    def _failed(self, stream: str) -> frozenset[int]:
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            content = file.read(layout.HEAD_BYTES)
            if len(content) < layout.HEAD_BYTES:
                return frozenset()
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
                    blocks += self._sound(Block(first + start, segment.map[at : (base + stop) * layout.SLOT_BYTES]))
                elif state != layout.VOID:
                    segment.waiting.add(first + start)
                start = stop
        # Only now: a call that was open when its neighbours were read has returned if its thread went on to any of them.
        return blocks, self._recheck()

    def _sound(self, block: Block) -> list[Block]:
        """Return what is left of a block without the slots that make no sense."""
        bad = spoilt(block.data, block.first, KNOWN)
        if not bad:
            return [block]
        self.spoilt += len(bad)
        blocks, start = [], 0
        for place in [*bad, len(block.data) // layout.SLOT_BYTES]:
            if place > start:
                blocks.append(Block(block.first + start, block.data[start * layout.SLOT_BYTES : place * layout.SLOT_BYTES]))
            start = place + 1
        return blocks

    def _recheck(self) -> list[tuple[int, bytes]]:
        late: list[tuple[int, bytes]] = []
        for segment in self.calls.segments.values():
            for number in sorted(segment.waiting):
                slot = self.calls.item(number)
                state = int.from_bytes(slot[layout.SLOT_STATE_AT :], "little")
                if state in (layout.COMPLETE, layout.VOID):
                    segment.waiting.discard(number)
                    if state == layout.COMPLETE:
                        late += [(number, block.data) for block in self._sound(Block(number, slot))]
        return late

    def open_calls(self) -> list[tuple[int, bytes]]:
        """Return (number, slot) of every call that was begun and has not returned."""
        return [
            (number, slot)
            for segment in self.calls.segments.values()
            for number in sorted(segment.waiting)
            for slot in [self.calls.item(number)]
            if int.from_bytes(slot[layout.SLOT_STATE_AT :], "little") == layout.OPEN or (self.calls.cleared and was_closing(slot))
            if not spoilt(slot[: layout.SLOT_STATE_AT] + _OPEN_STATE, number, KNOWN)
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
