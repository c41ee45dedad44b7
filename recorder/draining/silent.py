"""Processes of a run that have not spoken yet: forked without a call so far, or started a moment ago.

Owns the search for them in /proc, which is asked only when a run would end: a server that makes itself a daemon forks
twice before its first call, and everybody who has a tape is gone by then. Knows whose tapes are known, not what is on them.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from ..launching.launch import AGENT_KEY, deaf_flag, is_python
from .alive import has_ended, started_ns
from .census import Census

_HELLO_NS = 5_000_000_000  # a Python that has not announced itself by then never will
_MOST_LOOKS = 8


class Silent:
    """Those of one run.

    Args:
        census: who has spoken, and who never will.
        tape: the tape directory, which all of them were told of.
    """

    def __init__(self, census: Census, tape: Path) -> None:
        self._census = census
        self._mark = AGENT_KEY + b"=" + os.fsencode(tape)
        self._known: dict[int, tuple[int, int | None]] = {}  # pid -> (pidfd, CLOCK_MONOTONIC until when to wait; None: its end)

    def are_there(self) -> bool:
        """Say whether any of those that were found is still to be waited for."""
        spoken = {process.pid for process in self._census.alive}
        for pid, (pidfd, until_ns) in list(self._known.items()):
            late = until_ns is not None and time.monotonic_ns() > until_ns
            if late or pid in spoken or pid in self._census.unrecorded or has_ended(pidfd):
                os.close(pidfd)
                del self._known[pid]
        return bool(self._known)

    def look(self) -> bool:
        """Search for more of them; return whether there are any to wait for."""
        for _ in range(_MOST_LOOKS):
            if self._search():
                break  # nobody came and went meanwhile, who may have left another one behind
        return self.are_there()

    def send(self, number: int) -> None:
        """Send a signal to all of them."""
        for pidfd, _ in self._known.values():
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(pidfd, number)

    def close(self) -> None:
        """Wait for nobody any more."""
        for pidfd, _ in self._known.values():
            os.close(pidfd)
        self._known.clear()

    def _search(self) -> bool:
        """Look at every process once; return whether all of them stayed while we looked."""
        stayed = True
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) in self._known:
                continue
            try:
                environment = Path("/proc", name, "environ").read_bytes()
            except FileNotFoundError:
                stayed = False
                continue
            except OSError:
                continue  # somebody else's, or it has just gone
            if self._mark in environment.split(b"\0"):
                self._take(int(name))
        return stayed

    def _take(self, pid: int) -> None:
        if pid in self._census.unrecorded or any(process.pid == pid for process in self._census.alive):
            return
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
            program = os.fsdecode(os.readlink(f"/proc/{pid}/exe"))
            pidfd = os.pidfd_open(pid)
        except OSError:
            return
        words = tuple(os.fsdecode(word) for word in command)
        if any(words == tuple(process.reader.head.command) for process in self._census.all):
            self._known[pid] = pidfd, None  # a fork of one that is known: the agent is in it
            return
        until_ns = (started_ns(pid) or 0) + _HELLO_NS
        if words and is_python(program) and not deaf_flag((program, *words[1:])) and time.monotonic_ns() < until_ns:
            self._known[pid] = pidfd, until_ns
        else:
            os.close(pidfd)
