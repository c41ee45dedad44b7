"""Memory that a process has written full, given back to it under a later number.

Owns what may be used again, and how nothing on it is lost: what nobody has read yet is copied to a file of its own
first. The agent finds the memory mapped already (agent/kept.py) and neither maps it nor gives it back to the kernel.

Of a segment N that is read, the file becomes N.spare. Of one that nobody has begun to read, what stands in it is copied
to N.copy, the file gets N.spare as a second name, and the copy takes the name N: at any moment N is whole. A spare is
zeroed and linked to the number it is for. Whatever of these is left when a recorder is killed goes with the tape.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from ..agent import layout
from .stream import Stream

_MOST_SPARES = 8
_FAR = 64  # a spare this far behind the front is not wanted any more


class Recycling:
    """What can be used again of one stream.

    Args:
        stream: whose files they are.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.retired: list[int] = []  # oldest first
        self._used: set[int] = set()

    def follow(self, front: int, retired: Collection[int], wanted: int) -> None:
        """Hear how far the process is.

        Args:
            front: the newest segment that it has taken.
            retired: segments that it refers to no more and still has mapped.
            wanted: how many segments it may soon need.
        """
        self.retired = sorted(number for number in retired if 0 <= number < front and number not in self._used)
        self._used = {number for number in self._used if number > front - _FAR}
        self.stream.most_spares = min(wanted, _MOST_SPARES) if self.retired else 0
        for number in list(self.stream.spares)[: max(len(self.stream.spares) - self.stream.most_spares, 0)]:
            self._drop(number)
        for number in list(self.stream.spares):
            if number < front - _FAR:
                self._drop(number)

    def stop(self) -> None:
        """Use nothing again, and give back what was set aside for it."""
        self.retired = []
        self.stream.most_spares = 0
        for number in list(self.stream.spares):
            self._drop(number)

    def _drop(self, number: int) -> None:
        spare = self.stream.spares.pop(number, None)
        if spare is not None:
            with contextlib.suppress(OSError):
                spare.unlink()

    def refill(self, path: Path) -> bool:
        """Make a segment of memory that the process has mapped already.

        Args:
            path: its name.

        Returns:
            Whether there was such memory, and the segment is there now.
        """
        if self.stream.kind != "c":
            return False
        read = [number for number in self.retired if number in self.stream.spares]
        for number in reversed(read or self.retired):
            spare = self.stream.spares.pop(number, None) or self._set_aside(number)
            if spare is not None:
                self.retired.remove(number)
                self._used.add(number)
                return self._zero(spare, path)
        return False

    def _set_aside(self, number: int) -> Path | None:
        """Copy a segment that nobody has begun to read, and return the name of its memory; None: it cannot be had."""
        stream = self.stream
        path, spare = stream.file(number, stream.folders[0]), stream.spare(number)
        copy = Path(f"{path}.copy")
        with stream.lock, contextlib.suppress(OSError):
            if number in stream.segments or number < stream.position >> stream.bits:
                return None
            try:
                self._copy(path, copy)
                os.link(path, spare)
                try:
                    os.rename(copy, path)
                    return spare
                except OSError:
                    os.unlink(spare)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(copy)
        return None

    def _copy(self, path: Path, copy: Path) -> None:
        source = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            content = self._final(source)
            target = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(target, 0, len(content))
                if os.pwrite(target, content, 0) < len(content):
                    raise OSError("there was no room")
                give_to_owner(target, path.parent)
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _zero(self, spare: Path, path: Path) -> bool:
        try:
            descriptor = os.open(spare, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            self._final(descriptor)
            if os.pwrite(descriptor, bytes(self.stream.size), 0) < self.stream.size:
                return False
            give_to_owner(descriptor, path.parent)
            with contextlib.suppress(FileExistsError):
                os.link(spare, path)
            give_to_owner(descriptor, path.parent)  # the folder may have been given away in between
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                os.unlink(spare)

    def _final(self, descriptor: int) -> bytes:
        """Return what stands in a segment of calls.

        Raises:
            OSError: somebody may still write there.
        """
        content = os.pread(descriptor, self.stream.size, 0)
        states = content[layout.SLOT_STATE_AT :: layout.SLOT_BYTES]
        if len(states) < layout.SLOTS or states.count(layout.COMPLETE) + states.count(layout.VOID) < layout.SLOTS:
            raise OSError("a call in it is not complete")
        return content


def give_to_owner(descriptor: int, folder: Path) -> None:
    """Give a file to whoever has its folder: a program that was root when it started and is no more (agent/dropping.py)."""
    if os.geteuid() == 0:
        owner = os.stat(folder).st_uid
        if owner != os.fstat(descriptor).st_uid:
            os.fchown(descriptor, owner, -1)
