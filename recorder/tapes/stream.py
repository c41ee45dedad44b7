"""One stream of segments of a tape, calls or notes: what is new in it, read once.

Owns mapping segments, which items are complete, and freeing segments. Knows no head and no process.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..agent import layout

_STATE_STRIDE = layout.SLOT_BYTES // 4
_STATE_WORD = layout.SLOT_STATE_AT // 4
_OPERATION_AT = 52  # see the table in agent/layout.py
_CELL_STRIDE = layout.CELL_BYTES // 4
_CHUNK = 2048  # slots whose state is looked at in one step


def was_closing(slot: bytes) -> bool:
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

    def free(self, spare: Path | None = None) -> None:
        self.words.release()
        self.map.close()
        if spare is None:
            self.path.unlink(missing_ok=True)
        else:
            self.path.rename(spare)


class Stream:
    """One stream of segments of one process: calls ("c") or notes ("n").

    `position` is the number up to which everything was looked at; `waiting` holds the numbers below
    it that were empty or open then. `spares` holds the files of up to `most_spares` segments that were read to their
    end, for whoever makes new ones (tapes/recycling.py); under `lock` nothing is mapped that was not mapped before.
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
        self.gone = 0  # items in segments that somebody removed before they were read
        self.segments: dict[int, _Segment] = {}
        self.spares: dict[int, Path] = {}
        self.most_spares = 0
        self.lock = threading.Lock()
        self.cleared = False  # whether the state of a call that is being closed is cleared for a moment

    def file(self, number: int, folder: Path) -> Path:
        """Return where a segment is."""
        return folder / f"{self.name}.{self.kind}{number:06d}"

    def spare(self, number: int) -> Path:
        """Return the name of the memory of a segment that is used no more."""
        return self.folders[0] / f"{self.name}.{self.kind}{number:06d}.spare"

    def segment(self, number: int) -> _Segment | None:
        """Return a mapped segment, None where it does not exist (yet)."""
        found = self.segments.get(number)
        if found is not None:
            return found
        with self.lock:
            return self._map(number)

    def _map(self, number: int) -> _Segment | None:
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
                self.gone += full - index if number not in failed else 0
                self.position = (number + 1) << self.bits
                continue
            states = self.states(segment, index, min(index + _CHUNK, full))
            if ended and self.cleared:
                at = number << self.bits | index
                states = [state or (layout.OPEN if was_closing(self.item(at + n)) else 0) for n, state in enumerate(states)]
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
                self._let_go(number, self.segments.pop(number))

    def _let_go(self, number: int, segment: _Segment) -> None:
        if len(self.spares) >= self.most_spares or segment.path.parent != self.folders[0]:
            segment.free()
            return
        spare = self.spare(number)
        with contextlib.suppress(OSError):  # somebody cleared the folder
            segment.free(spare)
            self.spares[number] = spare

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
