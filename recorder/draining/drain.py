"""Tapes -> rows, while the program runs.

Owns the order of things: what is read when, what one commit holds, and when tape may be given back. Knows who does the
work (census, calls, notes, journal); not how programs are started or ended.
"""

from __future__ import annotations

import contextlib
import time
from functools import partial
from pathlib import Path

from ...traces import TraceError
from ...traces.mending import mend_references, mend_signals, mend_threads
from ...traces.writer import RunWriter, json_text
from ..agent import layout
from ..tapes.ahead import Ahead
from .alive import has_ended
from .calls import Calls
from .census import Census
from .journal import Journal
from .moved import Moved
from .notes import Notes
from .numbering import Numbering
from .process import Process
from .spots import BlindSpots
from .unseen import Unseen

STEP_CALLS = 1 << 15  # taken in before a commit shows them: 65 ms of work on a slow machine
SMALL_STEP_CALLS = 1 << 11  # where there is little room for them
_MOST_DIGITS = 19  # of a number that SQLite takes
_MOST_AHEAD = layout.SLOTS << 14  # slots that were not read yet
_AHEAD_MOST = 200_000  # payloads held in memory: more than the little room can take


class Drain:
    """Reads all tapes of a run and writes its rows.

    Args:
        writer: has begun the run.
        folders: the tape directory and, where there is one, the spill directory.
        start_ns: CLOCK_MONOTONIC at the run's start.
        ahead: makes segments for the processes that are found; None: they make their own.
    """

    def __init__(self, writer: RunWriter, folders: tuple[Path, ...], start_ns: int, ahead: Ahead | None = None) -> None:
        self.writer = writer
        self.start_ns = start_ns
        self.step_calls = STEP_CALLS
        self.numbering = Numbering(writer, start_ns)
        self.moved = Moved()
        self.spots = BlindSpots()
        self.journal = Journal(writer)
        self.calls = Calls(writer, self.numbering, self.moved)
        self.census = Census(folders, self.numbering, self.journal, self.spots, ahead)
        self.unseen = Unseen(self.census, self.spots)
        self.notes = Notes(self.numbering, self.census, self.spots, self.moved, self.unseen)
        self._ahead = ahead
        self._spots_kept: list[str] = []

    def run_ns(self) -> int:
        """Return the run's clock now."""
        return time.monotonic_ns() - self.start_ns

    @property
    def calls_lost(self) -> int:
        """How many calls found no place: on their tape, or in a file that took no more."""
        return self.census.lost + self.calls.lost

    def find_processes(self) -> list[Process]:
        """Look for processes that have announced themselves since the last time."""
        return self.census.find(lambda before, at_ns: self._end(before, "exec", at_ns))

    def step(self) -> int:
        """Read what is new and commit it.

        Returns:
            How many slots were passed: fewer than `step_calls` means that there were no more.
        """
        self.find_processes()
        taken = 0
        for process in list(self.census.alive):
            gone = has_ended(process.pidfd)
            now_taken = self._read(process, ended=gone)
            taken += now_taken
            if gone and now_taken < self.step_calls:
                self._end(process, "exit", self.run_ns())
        self._settle()
        return taken

    def _settle(self) -> None:
        """Show what was taken in, and give its tape back."""
        self.calls.settle()
        self._commit()
        for process in self.census.alive:
            process.reader.free_done()

    def _commit(self) -> None:
        """Commit rows together with how far the tapes were read, and only then count them."""
        self.journal.tapes(self.census.alive)
        if self._spots_kept != self.spots.sentences:
            self.writer.update_run(blind_spots=json_text(self.spots.sentences))
        if not self.writer.commit():
            return
        self.calls.committed()
        self._spots_kept = list(self.spots.sentences)
        for process in self.census.alive:
            if process.kept_open != process.shown_open:
                process.kept_open = set(process.shown_open)

    def _read(self, process: Process, ended: bool) -> int:
        position = process.reader.calls.position
        blocks, late = process.reader.read_calls(ended, self.step_calls)
        # In the order of the tape: ids follow it.
        arrived = sorted([*((block.first, block.data) for block in blocks), *late])
        self.calls.take(process, arrived)
        if not ended:
            self.calls.show_open(process)
        # Notes last: whatever a call refers to was noted before the call was written.
        self._read_notes(process, ended)
        call_id, bases = self.calls.id_of, process.bases
        links = list(process.readiness.links(arrived))
        near = partial(self._is_near, process)
        self.writer.links((call_id(process, wait), call_id(process, call), "readiness") for wait, call in links if near(wait))
        wrapped = process.wrapping.links(arrived)
        self.writer.links((call_id(process, tls), call_id(process, call), "wrapped") for tls, call in wrapped if near(call))
        self.writer.signal_sockets((bases.signal + key, bases.socket + socket) for key, socket in process.deliveries.sockets(arrived))
        self.calls.fold(process, arrived, {call for _, call in links} | process.deliveries.interrupted)
        # Not how many calls: a step that was cut short may hold open ones, and there is more behind it all the same.
        return process.reader.calls.position - position

    def _is_near(self, process: Process, number: int) -> bool:
        """Say whether a slot that a note names can be on the tape: a note may be spoilt."""
        return 0 <= number <= process.reader.calls.position + _MOST_AHEAD

    def _read_notes(self, process: Process, ended: bool) -> None:
        """Take in notes."""
        payloads, process.ahead = process.ahead, []
        for note in process.reader.read_notes(ended):
            if note.kind == layout.NOTE_PAYLOAD:
                size, _, data = note.data.partition(b"\0")
                if size.isdigit() and len(size) < _MOST_DIGITS and self._is_near(process, note.key):
                    payloads.append((note.key, int(size), data))
                else:
                    self.notes.unreadable += 1
            else:
                self.notes.take(process, note)
        if self.step_calls < STEP_CALLS:
            # Payloads are large, and run ahead of calls: with little room, none without its call.
            reached = process.reader.calls.position
            process.ahead = [payload for payload in payloads if payload[0] >= reached]
            payloads = [payload for payload in payloads if payload[0] < reached]
            if len(process.ahead) > _AHEAD_MOST:
                process.ahead = process.ahead[:_AHEAD_MOST]
                self.spots.add("payloads of some calls were not kept: the disk was nearly full")
        self.writer.payloads((self.calls.id_of(process, number), size, data) for number, size, data in payloads)

    def _end(self, process: Process, closed_by: str, ended_ns: int) -> None:
        """Take in the last of a process, and say what its end did to calls and sockets."""
        if self._ahead is not None:
            self._ahead.forget(process.reader)
        while self._read(process, ended=True) >= self.step_calls:
            self._settle()
        self.calls.end(process)
        process.ended_ns = ended_ns if process.found_dead_ns is None else process.found_dead_ns
        for number in process.open_sockets:
            self.writer.update("sockets", process.bases.socket + number, closed_ns=process.ended_ns, closed_by=closed_by)
        self.writer.update("processes", process.id, ended_ns=process.ended_ns)
        self.census.leave(process)
        self._commit()
        process.reader.close()

    def finish(self) -> None:
        """End whatever is left, name the children that never spoke, write the last counts."""
        self.find_processes()
        for process in list(self.census.alive):
            self._end(process, "exit", self.run_ns())
        self.census.name_the_silent()
        faults = sum(process.faults for process in self.census.ended)
        if faults:
            self.spots.add(f"the agent met {faults} errors of its own: details of as many calls may be missing")
        if self.notes.unreadable:
            one = self.notes.unreadable == 1
            told = "a note of the agent was" if one else f"{self.notes.unreadable:,} notes of the agent were"
            self.spots.add(f"{told} spoilt: sockets, places or links of some calls are missing")
        if any(process.torn for process in self.census.ended):
            self.mend()
        if self.moved.sentence() and not self.calls_lost:
            self.spots.add(self.moved.sentence())
        self._commit()
        if not self.writer.muted:
            self._write_last()

    def finish_muted(self) -> None:
        """Write what can be written of a run whose file took no more: after `finish`, once there is a little room.

        What was read meanwhile is counted as lost. Calls that stand open in the file and have returned get their end.
        """
        lost = self.calls_lost
        self.calls.undone()
        self.writer.unmute()
        # The least first: these few bytes find room where the rest may not.
        self.journal.not_kept(self.calls.lost_before)
        self.writer.update_run(calls_recorded=self.calls.recorded, calls_lost=lost, blind_spots=json_text(self.spots.sentences))
        self.writer.commit()
        self.calls.write_returned()
        if self.writer.commit():
            self.calls.committed()
        self.mend(in_steps=True)
        self.calls.count_unfinished()
        for process in self.census.ended:
            self.writer.update("processes", process.id, ended_ns=process.ended_ns)
        self._write_last()

    def mend(self, in_steps: bool = False) -> None:
        """Let no row name another one that was never read, or found no room.

        Args:
            in_steps: commit now and then, where room is little.
        """
        mend_threads(self.writer, self.census.owner_of_thread)
        mend_references(self.writer, self._make_room if in_steps else None)

    def _make_room(self) -> None:
        if self.writer.commit():
            with contextlib.suppress(TraceError):
                self.writer.shrink_log()

    def _write_last(self) -> None:
        self.calls.settle(finish=True)
        mend_signals(self.writer)
        self.write_counts()
        if self.writer.commit():
            self.calls.committed()

    def write_counts(self) -> None:
        """Bring the counts of the run up to date."""
        self.calls.write_summaries()
        self.writer.update_run(
            calls_recorded=self.calls.recorded, calls_lost=self.calls_lost, blind_spots=json_text(self.spots.sentences)
        )
