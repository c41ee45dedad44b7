"""Who was there: the processes of a run, found by the files that they leave.

Owns the rows of `processes` and whose child each of them is. Knows heads of tapes, not what is on them; what the end
of a process does to its calls is the business of drain.py.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ...traces.writer import json_text
from ..tapes.ahead import Ahead
from ..tapes.found import read_found
from ..tapes.head import Head
from ..tapes.tape import TapeReader
from .alive import ancestor, open_pidfd
from .journal import Journal
from .numbering import Numbering
from .process import Process
from .spots import BlindSpots

_MOST_WORD_BYTES = 10_000


class Census:
    """The processes of one run.

    Args:
        folders: the tape directory and, where there is one, the spill directory.
        numbering: of the run; its writer writes the rows.
        journal: is told of whoever is found.
        spots: takes what is not recorded.
        ahead: makes segments for the processes that are found; None: they make their own.
    """

    def __init__(
        self, folders: tuple[Path, ...], numbering: Numbering, journal: Journal, spots: BlindSpots, ahead: Ahead | None = None
    ) -> None:
        self.folders = folders
        self.alive: list[Process] = []  # as far as we know
        self.ended: list[Process] = []
        self.seen: set[str] = set()  # names of files
        self.unrecorded: dict[int, str] = {}  # pid -> why
        self.children: dict[int, tuple[int, str, str, list[str]]] = {}  # pid -> parent's row, how, why not recorded, command
        self.dead_at_first = False  # whoever is gone when found has its end by what it did last
        self._numbering = numbering
        self._writer = numbering.writer
        self._journal = journal
        self._spots = spots
        self._ahead = ahead

    @property
    def all(self) -> list[Process]:
        """Everybody who left a tape, in the order in which they were found."""
        return sorted([*self.alive, *self.ended], key=lambda process: process.id)

    def find(self, end_before: Callable[[Process, int], None]) -> list[Process]:
        """Look for processes that have announced themselves since the last time.

        Args:
            end_before: ends the process that another program has taken the place of, by exec, at that run time.

        Returns:
            Those that have a tape.
        """
        found = []
        for folder in self.folders:
            try:
                names = sorted(entry.name for entry in os.scandir(folder))
            except OSError:
                continue
            for name in names:
                if name in self.seen or not name.endswith((".head", ".unrecorded", ".sub")):
                    continue
                self.seen.add(name)
                if name.endswith(".head"):
                    reader = self._opened(folder / name)
                    found += [] if reader is None else [self._take_in(reader, end_before)]
                elif name.endswith(".unrecorded"):
                    self._take_unrecorded(folder / name)
                else:
                    with contextlib.suppress(OSError):
                        self._spots.add(_word(folder / name))
        return found

    def _opened(self, path: Path) -> TapeReader | None:
        """Return the reader of a tape; None for a file that no agent of this version has made."""
        try:
            return TapeReader(self.folders, path)
        except (OSError, ValueError):
            self._spots.add("a file among the tapes is none of ours: somebody wrote there, and calls may be missing")
            return None

    def owner_of(self, tape: str) -> Process | None:
        """Return the process that wrote a tape of that name."""
        return next((process for process in self.all if process.reader.head.name == tape), None)

    def owner_of_thread(self, thread: int) -> int | None:
        """Return the id of the process whose thread has that id: the one whose numbers begin next below it."""
        below = [process for process in self.all if process.bases.thread < thread]
        return max(below, key=lambda process: process.bases.thread).id if below else None

    @property
    def lost(self) -> int:
        """How many calls found no place on their tapes."""
        return sum(process.lost for process in self.ended) + sum(process.reader.lost()[0] for process in self.alive)

    def _take_in(self, reader: TapeReader, end_before: Callable[[Process, int], None]) -> Process:
        head, start_ns = reader.head, self._numbering.start_ns
        before = [process for process in self.all if process.pid == head.pid]
        parent = self._parent_of(head)
        started_by = "fork" if head.forked else "exec" if before else "spawn" if self.all else "main"
        if not head.forked and before and before[-1] in self.alive:
            end_before(before[-1], head.started_ns - start_ns)
        started_ns = max(0, head.started_ns - start_ns)
        id_ = self._writer.insert(
            "processes",
            run_id=self._writer.run_id,
            pid=head.pid,
            parent_id=before[-1].id if started_by == "exec" else parent.id if parent else None,
            started_by=started_by,
            command=json_text(list(head.command)),
            recorded=1,
            started_ns=started_ns,
        )
        self.unrecorded.pop(head.pid, None)
        process = Process(id_, reader, self._numbering.bases(alone=not self.alive), open_pidfd(head.pid, head.started_ns))
        if self.dead_at_first and process.pidfd is None:
            process.found_dead_ns = started_ns
        self.alive.append(process)
        if self._ahead is not None:
            self._ahead.watch(reader)
        self._journal.head(head)
        return process

    def _parent_of(self, head: Head) -> Process | None:
        """Return the process that started one, or the nearest above it that has a tape."""
        known = self.all
        parent = self.owner_of(head.parent_tape)
        if parent is None:
            above = ancestor(head.parent_pid, {process.pid for process in known})
            parent = next((process for process in reversed(known) if process.pid == above), None)
        if parent is None and known and known[0].reader.head.parent_pid == os.getpid():
            parent = known[0]  # whoever stood between them is gone; the program itself is an ancestor of all
        return parent

    def leave(self, process: Process) -> None:
        """Take in that a process has ended, and all of its tape was read."""
        process.lost, process.faults = process.reader.lost()
        process.torn = process.reader.is_torn()
        if process.reader.spoilt:
            calls = f"{process.reader.spoilt:,} {'call' if process.reader.spoilt == 1 else 'calls'}"
            self._spots.add(f"somebody wrote over the tape of process {process.pid}: {calls} could not be read")
        if process.torn:
            self._spots.add(f"files of the tape of process {process.pid} were removed while it ran: calls may be missing")
        if process.pidfd is not None:
            os.close(process.pidfd)
            process.pidfd = None
        self.alive.remove(process)
        self.ended.append(process)
        self._journal.ended(process)

    def _take_unrecorded(self, path: Path) -> None:
        try:
            pid = int(path.name.partition(".")[0])
            reason = _word(path) or "no reason given"
        except (OSError, ValueError):
            return
        self.unrecorded[pid] = reason
        self._journal.unrecorded(pid, reason)
        self._insert_unrecorded(pid, None, None, [], reason)

    def child(self, parent: Process, pid: int, fields: Sequence[str]) -> None:
        """Take in what a process says of a child: how it was started, why it cannot be recorded (or ""), its command."""
        started_by, why_not, command = fields[0], fields[1], list(fields[2:])
        self.children[pid] = (parent.id, started_by, why_not, command)
        self._journal.child(pid, self.children[pid])
        if why_not:
            self.unrecorded[pid] = why_not
            self._insert_unrecorded(pid, parent.id, started_by, command, why_not)

    def name_the_silent(self) -> None:
        """Name the children that never spoke: at the run's end."""
        known = {process.pid for process in self.ended}
        for pid, (parent, started_by, why_not, command) in self.children.items():
            if pid not in known and not why_not and pid not in self.unrecorded:
                self._insert_unrecorded(pid, parent, started_by, command, "no Python that could be reached")

    def _insert_unrecorded(self, pid: int, parent: int | None, started_by: str | None, command: list[str], reason: str) -> None:
        self._writer.insert(
            "processes",
            run_id=self._writer.run_id,
            pid=pid,
            parent_id=parent,
            started_by=started_by,
            command=json_text(command),
            recorded=0,
            why_not=reason,
        )
        what = " ".join(command[:4]) if command else f"process {pid}"
        self._spots.add(f"{what} (pid {pid}) was not recorded: {reason}")


def _word(path: Path) -> str:
    """Return what a process that has no tape left in the place of one."""
    return read_found(path, _MOST_WORD_BYTES).decode("utf-8", "replace")
