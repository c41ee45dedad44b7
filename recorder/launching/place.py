"""Where a recording puts its files: folders for tapes, and a reserve beside the trace.

Owns making and removing them, and how much room is left. Knows no tape and no row.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import SockreelError
from ...traces.recovery import this_recorder
from ...traces.writer import RunWriter
from ..tapes.found import read_found

RESERVE_BYTES = 512 << 10
_SHM = Path("/dev/shm")
_ROOMY_BYTES = 64 << 20  # with less, the log is kept short and steps are small
_MOST_SETTINGS_BYTES = 100_000
_LEAST_BYTES = 512 << 10  # with less, recording ends: what is there can still be finished
# What agents and recorders leave in a tape folder; nothing else is ever removed.
_OURS = re.compile(r"\d+-[0-9a-f]+\.(head|[cn]\d{6})(\..+)?|\d+\.(unrecorded|sub)(\.part)?|settings|program\.stderr")


class RecordError(SockreelError):
    """Recording could not begin: exit status 125."""

    exit_status = 125


@dataclass(frozen=True)
class Place:
    """The folders of one run's tapes.

    Args:
        folders: where tapes grow, in order of preference.
        key: stands in the folders and in the trace, so that a trace names no folder that is not its own.
    """

    folders: tuple[Path, ...]
    key: str

    def told(self) -> dict[str, Any]:
        """Return what the run's settings say of it, for whoever has to recover the run."""
        return {"tapes": [str(folder) for folder in self.folders], "tape_key": self.key, "recorder": this_recorder()}

    def remove(self) -> None:
        """Remove the folders with what we and our agents made in them."""
        for folder in self.folders:
            remove_tapes(folder, self.key)


def make_place(trace: Path, tape: Path | None, settings: Mapping[str, str]) -> Place:
    """Make the tape folder, and the one beside the trace for when shared memory is full.

    Args:
        trace: the file.
        tape: folder asked for; None: shared memory.
        settings: what agents read there.

    Raises:
        RecordError: it cannot be made.
    """
    beside = trace.absolute().parent
    first = tape if tape is not None else _SHM if os.access(_SHM, os.W_OK) else beside
    key = secrets.token_hex(8)
    folders: list[Path] = []
    try:
        folders.append(Path(tempfile.mkdtemp(prefix="sockreel-", dir=first)).absolute())
        lines = {**settings, "key": key, "trace": str(trace.absolute())}
        if tape is None and first != beside:
            folders.append(Path(tempfile.mkdtemp(prefix=f".{trace.name}-tape-", dir=beside)))
            lines["spill"] = str(folders[1])
        for folder in folders:
            text = "".join(f"{name} {value}\n" for name, value in lines.items())
            (folder / "settings").write_text(text, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        for folder in folders:
            remove_tapes(folder)
        raise RecordError(f"cannot make a folder for the tape in {error.filename or first}: {error.strerror}") from error
    return Place(tuple(folders), key)


def belongs(folder: Path, key: str) -> bool:
    """Say whether a folder is the tape folder of the run with this key."""
    try:
        with _opened(folder) as descriptor:
            return _is_marked(descriptor, key)
    except OSError:
        return False


def _is_marked(descriptor: int, key: str) -> bool:
    # A trace may come from anywhere, and name a folder that somebody else has made for it. A program that root recorded may have
    # become somebody else, and then has its tapes (agent/dropping.py).
    if not key or os.geteuid() not in (0, os.fstat(descriptor).st_uid):
        return False
    text = read_found("settings", _MOST_SETTINGS_BYTES, descriptor).decode("utf-8", "surrogateescape")
    return f"key {key}" in text.splitlines()


def remove_tapes(folder: Path, key: str | None = None) -> None:
    """Remove what we and our agents made in a folder, and the folder if nothing else is in it.

    The word that says whose it is goes last: a removal that was cut short can be taken up again.

    Args:
        key: of the run whose folder it must be; None: we have just made it.
    """
    with contextlib.suppress(OSError):
        # By descriptor: another folder may be put in its place meanwhile.
        with _opened(folder) as descriptor:
            if key is not None and not _is_marked(descriptor, key):
                return
            for name in sorted(os.listdir(descriptor), key=lambda name: name == "settings"):
                if _OURS.fullmatch(name):
                    with contextlib.suppress(OSError):
                        os.unlink(name, dir_fd=descriptor)
        folder.rmdir()


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Reserve:
    """A file beside the trace that is given back when the disk is full, for the last words.

    Args:
        trace: the file.

    Raises:
        RecordError: there is no room for even that.
    """

    def __init__(self, trace: Path) -> None:
        self.trace = trace
        self.path = reserve_of(trace)
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            self.release()
            problem = f"no room for a trace in {trace.absolute().parent}: {error.strerror}"
            raise RecordError(f"{problem}; make room, or name another place") from error

    def release(self) -> None:
        """Give it back."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def reserve_of(trace: Path) -> Path:
    """Return where a trace's reserve is."""
    return trace.with_name(f"{trace.name}-reserve")


class Room:
    """How much room the disk of a trace has left.

    Args:
        trace: the file.
    """

    def __init__(self, trace: Path) -> None:
        self.trace = trace
        self._log = trace.with_name(f"{trace.name}-wal")
        self._log_bytes = 0
        self._step_bytes = 0  # the most that one step has added

    def is_ample(self) -> bool:
        """Say whether there is so much that nobody need look closer."""
        return self._free_bytes() > _ROOMY_BYTES

    def is_running_out(self, writer: RunWriter) -> bool:
        """Say whether only the room is left that it takes to finish the trace. Call it after a commit.

        What stands in the write-ahead log needs room in the file as well, before its own is given back.
        """
        self._step_bytes = max(self._step_bytes, _size(self._log) - self._log_bytes)
        if self._free_bytes() <= _LEAST_BYTES + 2 * self._step_bytes + 2 * _size(self._log):
            writer.shrink_log()
        self._log_bytes = _size(self._log)
        return self._free_bytes() < _LEAST_BYTES + 2 * self._step_bytes + self._log_bytes

    def _free_bytes(self) -> int:
        """Return how much the disk has left, or a limit on the size of files (setrlimit(2)): nothing can be given back for the latter."""
        try:
            found = os.statvfs(self.trace)
        except OSError:
            return 1 << 62
        free = found.f_bavail * found.f_frsize
        most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        return free if most == resource.RLIM_INFINITY else min(free, most - max(_size(self.trace), _size(self._log)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
