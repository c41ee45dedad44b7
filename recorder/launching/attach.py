"""Why a process that already runs cannot be recorded, and what to do instead.

Owns what /proc tells of a stranger: whether it is Python, which, and how it was started. Starts and
touches nothing.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from .launch import LaunchError

WRONG_USE = 2
ENTERED_FROM = (3, 14)  # `sys.remote_exec` (PEP 768)
_VERSION = re.compile(rb"/(?:lib)?python(\d)\.(\d+)[^/\s]*(?:/lib-dynload/|/encodings/|\.so|$)", re.MULTILINE)


def refuse(pid: int) -> LaunchError:
    """Return why a process cannot be recorded now, and the command that records it from its start.

    Args:
        pid: of any process, or of none.
    """
    folder = Path(f"/proc/{pid}")
    if not folder.is_dir():
        return LaunchError(f"there is no process {pid}", WRONG_USE)
    command = _read(folder / "cmdline")
    if command == b"":
        return LaunchError(f"process {pid} runs no program: it is a thread of the kernel, or has ended", WRONG_USE)
    try:
        executable = os.readlink(folder / "exe")
        version = python_version(executable, _read(folder / "maps") or b"")
        environment = _read(folder / "environ") or b""
    except PermissionError:
        why = f"process {pid} belongs to another user, or may not be looked at"
        return LaunchError(f"{why}: ask whoever owns it to start it under sockreel record", WRONG_USE)
    except OSError:
        return LaunchError(f"there is no process {pid}", WRONG_USE)
    if b"SOCKREEL_AGENT=" in b"\0" + environment:
        return LaunchError(f"process {pid} was started under sockreel record: look at the trace that it is writing", WRONG_USE)
    if version is None:
        return LaunchError(f"process {pid} is no Python ({executable}), and sockreel records Python programs", WRONG_USE)
    found = ".".join(map(str, version))
    if version >= ENTERED_FROM:
        why = f"process {pid} runs Python {found}, which could let us in (sys.remote_exec), but this version of sockreel cannot go in yet"
    else:
        why = f"process {pid} runs Python {found}, and a running program can be entered from Python 3.14 on only (sys.remote_exec)"
    return LaunchError(f"{why}; end it and start it like this: {_instead(folder, command or b'')}", WRONG_USE)


def python_version(executable: str, maps: bytes) -> tuple[int, int] | None:
    """Return the version of the interpreter in a process, None where it is no Python.

    Args:
        executable: what it runs.
        maps: its /proc/PID/maps: an interpreter inside another program shows by its library.
    """
    own = re.fullmatch(r"python(\d)\.(\d+)[a-z]*", os.path.basename(executable))
    found = own or _VERSION.search(maps)
    return (int(found[1]), int(found[2])) if found else None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _instead(folder: Path, command: bytes) -> str:
    words = [os.fsdecode(word) for word in command.rstrip(b"\0").split(b"\0")]
    there = ""
    try:
        directory = os.readlink(folder / "cwd")
        if directory != os.getcwd():
            there = f"cd {shlex.quote(directory)} && "
    except OSError:
        pass
    return f"{there}sockreel record -- {shlex.join(words)}"
