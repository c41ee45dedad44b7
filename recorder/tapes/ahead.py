"""Segments made ahead of need, so that no program waits for zeroed memory.

Owns the thread that makes them, and how many there are. It follows what the agents say of how far they are, not the
drain, which may be far behind. Knows the layout of a tape's head and files, not what is on the tape.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

from ..agent import layout
from .recycling import Recycling, give_to_owner
from .stream import Stream
from .tape import TapeReader

MOST_AHEAD = 16  # segments of a stream: what the fastest program fills in a tenth of a second
_LOOK_S = 0.01
_SHARE = 4  # never more than this part of what is free in the folder
_QUARTER = {"c": layout.SLOTS // 4 * layout.SLOT_BYTES + layout.SLOT_STATE_AT, "n": (layout.CELLS // 4 + 1) * layout.CELL_BYTES - 4}
_RETIRED = struct.Struct(f"<{layout.RETIRED_MAX}I")
_SWITCH_S = 0.0005  # the drain lets go of the interpreter this soon where we want it


class Maker:
    """Makes the segments of one stream.

    Args:
        stream: whose files they are.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.front = -1
        self.made_up_to = 0  # segments below this number exist or existed
        self.wanted = 1
        self.recycling = Recycling(stream)

    def follow(self, front: int, retired: Collection[int] = ()) -> None:
        """Make what the process will soon need.

        Args:
            front: the newest segment that it has taken; -1: none.
            retired: segments that it refers to no more and still has mapped.
        """
        if front < 0 or (front == 0 and not self._is_under_way()):
            return
        self.wanted = min(max(4 * (front - max(self.front, 0)), self.wanted // 2, 1), MOST_AHEAD)
        self.front = front
        self.recycling.follow(front, retired, self.wanted)
        self.make_ahead(front, self.wanted)

    def make_ahead(self, front: int, count: int) -> None:
        """Make segments where there is ample room for them.

        Args:
            front: the newest segment that is in use.
            count: how many beyond it.
        """
        numbers = range(max(front + 1, self.made_up_to), front + 1 + count)
        folder = self.stream.folders[0]  # if that is full, nothing is made ahead: the agent takes what it needs, where it can
        room = _free_bytes(folder) // (_SHARE * self.stream.size) if numbers else 0
        if numbers and not room:
            self.recycling.stop()
        for number in numbers[:room]:
            path = self.stream.file(number, folder)
            if not self.recycling.refill(path) and not make_segment(path, self.stream.size):
                return
            self.made_up_to = number + 1

    def _is_under_way(self) -> bool:
        """Say whether a quarter of the first segment is used: most short-lived programs never need a second one."""
        for folder in self.stream.folders:
            state = _read(self.stream.file(0, folder), 4, _QUARTER[self.stream.kind])
            if state:
                return any(state)
        return False


class Ahead:
    """The thread that makes segments for all processes of a run."""

    def __init__(self) -> None:
        self._makers: dict[Path, Sequence[Maker]] = {}  # path of a head -> its streams
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sockreel-ahead", daemon=True)
        self._switch_s = sys.getswitchinterval()  # as it was
        sys.setswitchinterval(min(self._switch_s, _SWITCH_S))
        self._thread.start()

    def watch(self, reader: TapeReader) -> None:
        """Make segments for a process from now on."""
        with self._lock:
            self._makers[reader.path] = (Maker(reader.calls), Maker(reader.notes))

    def forget(self, reader: TapeReader) -> None:
        """Make no more for a process: on return none is being made."""
        with self._lock:
            for maker in self._makers.pop(reader.path, ()):
                maker.recycling.stop()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()
        sys.setswitchinterval(self._switch_s)

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_S):
            for path in list(self._makers):
                head = _read(path, layout.HEAD_BYTES, 0)
                if len(head) < layout.HEAD_BYTES or any(head[layout.HEAD_STOP_AT :]):
                    continue
                retired = [number - 1 for number in _RETIRED.unpack_from(head, layout.HEAD_RETIRED_AT) if number]
                with self._lock:
                    for maker in self._makers.get(path, ()):
                        at = layout.HEAD_FRONT_AT[maker.stream.kind]
                        maker.follow(int.from_bytes(head[at : at + 4], "little") - 1, retired if maker.stream.kind == "c" else ())


def make_segment(path: Path, size: int) -> bool:
    """Make a segment, reserved to its last byte, unless it exists.

    Args:
        path: its name.
        size: in bytes.

    Returns:
        Whether it is there now.
    """
    private = f"{path}.ahead"
    try:
        descriptor = os.open(private, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        os.posix_fallocate(descriptor, 0, size)
        if os.pwrite(descriptor, bytes(size), 0) < size:  # what was only reserved is zeroed by whoever touches it first
            return False
        give_to_owner(descriptor, path.parent)
        with contextlib.suppress(FileExistsError):
            os.link(private, path)
        give_to_owner(descriptor, path.parent)  # the folder may have been given away in between
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(private)


def _read(path: Path, size: int, at: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, size, at)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _free_bytes(folder: Path) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize
