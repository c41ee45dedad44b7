"""A program run under strace and the recorder at once.

Owns how strace is started so that the program is still our own child, whether it may trace here,
and when it has written its last line. Knows nothing of what the lines mean.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...errors import SockreelError
from ..launching.launch import Command
from ..settings import Result, Settings
from .strace import TRACED

_PATIENCE_S = 10.0
_STEP_S = 0.01


class VerifyError(SockreelError):
    """The program cannot be watched by a second witness here."""


def strace_path() -> str:
    """Return where strace is, having tried it.

    Raises:
        VerifyError: it is not installed, or may not trace.
    """
    found = shutil.which("strace")
    if found is None:
        raise VerifyError("verify needs strace, which is not installed: apt install strace (or your system's package of that name)")
    trial = [*_arguments(found, Path(os.devnull)), sys.executable, "-I", "-S", "-c", ""]
    try:
        done = subprocess.run(trial, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VerifyError(f"{found} does not run: {error}") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[-1] if lines else f"it ended with status {done.returncode}"
        raise VerifyError(f"{found} may not trace here ({why}): see /proc/sys/kernel/yama/ptrace_scope, or the container's seccomp profile")
    return found


def _arguments(strace: str, output: Path) -> list[str]:
    """Return the command line before the program's.

    -D: the program stays our child, and strace is nobody's. -y: what is open on a descriptor, so that no
    table of descriptors needs to be kept. -s 0: no payloads; lists stay whole, since only exec abbreviates.
    """
    return [strace, "-D", "-f", "-q", "-ttt", "-y", "-s", "0", "-a", "1", "-e", "abbrev=execve,execveat", "-e", f"trace={TRACED}",
            "-e", "signal=all", "-o", str(output), "--"]  # fmt: skip


def record_traced(
    record: Callable[[Command, Settings, Callable[[str], None]], Result],
    command: Command,
    settings: Settings,
    output: Path,
    say: Callable[[str], None],
) -> Result:
    """Record a program while strace watches it, and wait until both have told everything.

    Args:
        record: that does it (session.record).
        command: the program.
        settings: of the recording.
        output: what strace writes; must not exist.
        say: takes a line for the user.

    Returns:
        How the recording ended.

    Raises:
        VerifyError: strace cannot trace, or does not come to its end.
        SockreelError: as record.
    """
    under = tuple(_arguments(strace_path(), output))
    os.close(os.open(output, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    result = record(replace(command, under=under), settings, say)
    _wait_for_last_line(output)
    return result


def _wait_for_last_line(output: Path) -> None:
    """Wait until strace, which is not our child, has closed what it writes."""
    deadline = time.monotonic() + _PATIENCE_S
    while writers := list(_writers(output)):
        if time.monotonic() > deadline:
            who = ", ".join(map(str, writers))
            raise VerifyError(f"strace (process {who}) still watches a process of the program that lives on: end it, then verify again")
        time.sleep(_STEP_S)


def _writers(output: Path) -> Iterator[int]:
    wanted = output.stat()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):  # it has ended, or is not ours
                if any(_is_same(wanted, descriptor) for descriptor in (process / "fd").iterdir()):
                    yield int(process.name)


def _is_same(wanted: os.stat_result, descriptor: Path) -> bool:
    with suppress(OSError):
        found = descriptor.stat()
        return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)
    return False
