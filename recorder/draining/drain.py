"""Tapes -> rows, while the program runs.

Owns the numbering of a run (which small per-process number is which id in the file) and what each
note becomes. Knows tape and trace; not how programs are started or ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from ...traces.writer import RunWriter, json_text
from ..agent import layout
from ..counting.folded import write_changes
from ..counting.folding import Folding
from ..counting.tally import LevelRow, Tally
from ..linking import deliveries
from ..tapes.ahead import Ahead
from ..tapes.tape import Note, TapeReader, slot_columns, slot_values, without_sockets
from .alive import ancestor, has_ended, open_pidfd
from .journal import Journal
from .known import by_module
from .moved import Moved
from .numbering import Numbering
from .origins import Life, Origins
from .process import Process
from .sources import write_site
from .unseen import Unseen

Columns = dict[str, list[int]]
STEP_CALLS = 1 << 15  # taken in before a commit shows them: 65 ms of work on a slow machine
SMALL_STEP_CALLS = 1 << 11  # where there is little room for them
_OPEN_SHOWN_NS = 100_000_000  # an open call this old gets a row
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
        self.folders = folders
        self.ahead = ahead
        self.start_ns = start_ns
        self.tally = Tally()  # of what is committed
        self.step_calls = STEP_CALLS
        self.counted_later = False  # somebody will make summaries and levels from the rows
        self.journal = Journal(writer)
        self.processes: list[Process] = []  # alive, as far as we know
        self.ended: list[Process] = []
        self.by_socket = True
        self.folded_from_ns: int | None = None  # run time since which long spins are folded
        self.calls_recorded = 0
        self.calls_kept = 0  # of them, in the file by the last commit
        self.lost_before = 0  # calls that were read when the file took no more
        self.blind_spots: list[str] = []
        self.unrecorded: dict[int, str] = {}  # pid -> why
        self.listening: list[tuple[str, str]] = []
        self._fresh = Tally()  # of what is not committed
        self._levels: list[LevelRow] = []  # settled, not committed
        self._returned: list[tuple[Process, int, bytes]] = []  # calls that stand open in the file and have returned
        self._spots_kept: list[str] = []
        self.seen: set[str] = set()
        self.children: dict[int, tuple[int, str, str, list[str]]] = {}
        self.numbering = Numbering(writer, start_ns)
        self.origins = Origins()
        self.moved = Moved()
        self.unseen = Unseen(self)

    def run_ns(self) -> int:
        """Return the run's clock now."""
        return time.monotonic_ns() - self.start_ns

    def find_processes(self) -> list[Process]:
        """Look for processes that have announced themselves since the last time."""
        found = []
        for folder in self.folders:
            try:
                names = sorted(entry.name for entry in os.scandir(folder))
            except OSError:
                continue
            for name in names:
                if name in self.seen:
                    continue
                if name.endswith(".head"):
                    self.seen.add(name)
                    found.append(self._take_in(TapeReader(self.folders, folder / name)))
                elif name.endswith(".unrecorded"):
                    self.seen.add(name)
                    self._take_unrecorded(folder / name)
                elif name.endswith(".sub"):
                    self.seen.add(name)
                    self.add_blind_spot((folder / name).read_text(encoding="utf-8", errors="replace"))
        return found

    def _take_in(self, reader: TapeReader) -> Process:
        head = reader.head
        known = [*self.processes, *self.ended]
        before = [process for process in known if process.pid == head.pid]
        parent = next((process for process in known if process.reader.head.name == head.parent_tape), None)
        if parent is None:
            above = ancestor(head.parent_pid, {process.pid for process in known})
            parent = next((process for process in reversed(known) if process.pid == above), None)
        if parent is None and known and known[0].reader.head.parent_pid == os.getpid():
            parent = known[0]  # whoever stood between them is gone; the program itself is an ancestor of all
        started_by = "fork" if head.forked else "exec" if before else "spawn" if known else "main"
        if not head.forked and before and before[-1] in self.processes:
            self._end(before[-1], closed_by="exec", ended_ns=head.started_ns - self.start_ns)
        id_ = self.writer.insert(
            "processes",
            run_id=self.writer.run_id,
            pid=head.pid,
            parent_id=before[-1].id if started_by == "exec" else parent.id if parent else None,
            started_by=started_by,
            command=json_text(list(head.command)),
            recorded=1,
            started_ns=max(0, head.started_ns - self.start_ns),
        )
        self.unrecorded.pop(head.pid, None)
        process = Process(id_, reader, self.numbering.bases(alone=not self.processes), open_pidfd(head.pid, head.started_ns))
        if self.counted_later and process.pidfd is None:
            process.found_dead_ns = max(0, head.started_ns - self.start_ns)
        self.processes.append(process)
        if self.ahead is not None:
            self.ahead.watch(reader)
        self.journal.head(head)
        return process

    def _take_unrecorded(self, path: Path) -> None:
        try:
            pid = int(path.name.partition(".")[0])
            reason = path.read_text(encoding="utf-8", errors="replace") or "no reason given"
        except (OSError, ValueError):
            return
        self.unrecorded[pid] = reason
        self.journal.unrecorded(pid, reason)
        self._insert_unrecorded(pid, None, "unknown", [], reason)

    def _insert_unrecorded(self, pid: int, parent: int | None, started_by: str, command: list[str], reason: str) -> None:
        self.writer.insert(
            "processes",
            run_id=self.writer.run_id,
            pid=pid,
            parent_id=parent,
            started_by=started_by if started_by != "unknown" else None,
            command=json_text(command),
            recorded=0,
            why_not=reason,
        )
        what = " ".join(command[:4]) if command else f"process {pid}"
        self.add_blind_spot(f"{what} (pid {pid}) was not recorded: {reason}")

    def add_blind_spot(self, sentence: str) -> None:
        """Name something that this run cannot see."""
        if sentence not in self.blind_spots:
            self.blind_spots.append(sentence)

    def replace_blind_spot(self, before: str, sentence: str) -> None:
        """Say a blind spot anew, of which more is known now."""
        self.blind_spots = [sentence if spot == before else spot for spot in self.blind_spots]
        self.add_blind_spot(sentence)

    def step(self) -> int:
        """Read what is new and commit it.

        Returns:
            How many slots were passed: fewer than `step_calls` means that there were no more.
        """
        self.find_processes()
        taken = 0
        for process in list(self.processes):
            gone = has_ended(process.pidfd)
            now_taken = self._read(process, ended=gone)
            taken += now_taken
            if gone and now_taken < self.step_calls:
                self._end(process, closed_by="exit", ended_ns=self.run_ns())
        self._settle()
        return taken

    def _settle(self) -> None:
        """Show what was taken in, and give its tape back."""
        self._levels += self.tally.settled_levels()
        self.writer.levels(self._levels)
        self._commit()
        for process in self.processes:
            process.reader.free_done()

    def _commit(self) -> None:
        """Commit rows together with how far the tapes were read, and only then count them."""
        if self.writer.muted:
            return
        self.journal.tapes(self.processes)
        if self._spots_kept != self.blind_spots:
            self.writer.update_run(blind_spots=json_text(self.blind_spots))
        self.writer.commit()
        self.tally.absorb(self._fresh)
        self._fresh, self._levels, self._returned = Tally(), [], []
        self._spots_kept, self.calls_kept = list(self.blind_spots), self.calls_recorded
        for process in self.processes:
            if process.kept_open != process.shown_open:
                process.kept_open = set(process.shown_open)

    def _read(self, process: Process, ended: bool) -> int:
        position = process.reader.calls.position
        blocks, late = process.reader.read_calls(ended, self.step_calls)
        # In the order of the tape: ids follow it.
        arrived = sorted([*((block.first, block.data) for block in blocks), *late])
        if self.folded_from_ns is None:
            for number, slots in arrived:
                (self._late if number in process.shown_open else self._block)(process, number, slots)
        if not ended:
            self._show_open(process)
        # Notes last: whatever a call refers to was noted before the call was written.
        self._read_notes(process, ended)
        links = list(process.readiness.links(arrived))
        self.writer.links((self._call_id(process, wait), self._call_id(process, call), "readiness") for wait, call in links)
        wrapped = process.wrapping.links(arrived)
        self.writer.links((self._call_id(process, tls), self._call_id(process, call), "wrapped") for tls, call in wrapped)
        bases = process.bases
        self.writer.signal_sockets((bases.signal + key, bases.socket + socket) for key, socket in process.deliveries.sockets(arrived))
        if self.folded_from_ns is not None:
            self._fold(process, arrived, {call for _, call in links} | process.deliveries.interrupted)
        # Not how many calls: a step that was cut short may hold open ones, and there is more behind it all the same.
        return process.reader.calls.position - position

    def _read_notes(self, process: Process, ended: bool) -> None:
        """Take in notes."""
        payloads, process.ahead = process.ahead, []
        for note in process.reader.read_notes(ended):
            if note.kind == layout.NOTE_PAYLOAD:
                size, _, data = note.data.partition(b"\0")
                payloads.append((note.key, int(size), data))
            else:
                self._note(process, note)
        if self.step_calls < STEP_CALLS:
            # Payloads are large, and run ahead of calls: with little room, none without its call.
            reached = process.reader.calls.position
            process.ahead = [payload for payload in payloads if payload[0] >= reached]
            payloads = [payload for payload in payloads if payload[0] < reached]
            if len(process.ahead) > _AHEAD_MOST:
                process.ahead = process.ahead[:_AHEAD_MOST]
                self.add_blind_spot("payloads of some calls were not kept: the disk was nearly full")
        self.writer.payloads((self._call_id(process, number), size, data) for number, size, data in payloads)

    def _fold(self, process: Process, arrived: Sequence[tuple[int, bytes]], linked: set[int]) -> None:
        """Take in calls and write those that a fold does not count."""
        folding = process.folding
        if folding is None:
            folding = process.folding = Folding(self.start_ns, self.by_socket)
        for number, slots in arrived:
            if number in process.shown_open:
                self._late(process, number, slots)
                folding.pass_by(slots)
            else:
                folding.take(number, slots, linked)
                self._count(process, self._call_id(process, number), slots)
        write_changes(folding.changes(), process.bases, lambda number: self._call_id(process, number), self.writer, self._fresh)

    def _call_id(self, process: Process, number: int) -> int:
        return self.numbering.call_id(process.segment_ids, number)

    def _block(self, process: Process, first: int, data: bytes) -> None:
        columns = slot_values(data)
        id_ = self._call_id(process, first)
        columns["id"] = list(range(id_, id_ + len(data) // layout.SLOT_BYTES))
        parents = columns["parent"]
        if isinstance(parents, int):
            columns["parent"] = parents and self._call_id(process, parents - 1)
        else:
            columns["parent"] = [parent and self._call_id(process, parent - 1) for parent in parents]
        self.writer.calls(columns, process.bases)
        self._count(process, id_, data)

    def _columns(self, process: Process, number: int, slot: bytes) -> Columns:
        """Return one slot as the writer takes it."""
        columns = slot_columns(slot)
        columns["id"] = [self._call_id(process, number)]
        columns["parent"] = [parent and self._call_id(process, parent - 1) for parent in columns["parent"]]
        return columns

    def _count(self, process: Process, first_id: int, data: bytes) -> None:
        if not self.writer.muted and not self.counted_later:
            counted = data if self.by_socket else without_sockets(data)
            self._fresh.add_slots(process.id, counted, first_id, process.bases.thread, process.bases.socket, self.start_ns)
        if process.found_dead_ns is not None:
            last = slot_columns(data[-layout.SLOT_BYTES :])
            process.found_dead_ns = max(process.found_dead_ns, last["started_ns"][0] + last["duration_ns"][0] - self.start_ns)
        self.moved.take(process.id, data)
        calls = len(data) // layout.SLOT_BYTES
        process.calls += calls
        self.calls_recorded += calls

    def _late(self, process: Process, number: int, slot: bytes) -> None:
        """Take in a call that has returned and has a row as an open one."""
        columns = self._columns(process, number, slot)
        process.shown_open.discard(number)
        if number in process.kept_open:
            self._returned.append((process, number, slot))
        self.writer.close_call(columns, process.bases)
        self.calls_recorded -= 1
        process.calls -= 1
        self._count(process, columns["id"][0], slot)

    def _show_open(self, process: Process, all_of_them: bool = False) -> None:
        now_ns = time.monotonic_ns()
        for number, slot in process.reader.open_calls():
            if number in process.shown_open:
                continue
            columns = self._columns(process, number, slot)
            if all_of_them or now_ns - columns["started_ns"][0] >= _OPEN_SHOWN_NS:
                process.shown_open.add(number)
                self.writer.open_call(columns, process.bases)
                self.calls_recorded += 1
                process.calls += 1

    def _note(self, process: Process, note: Note) -> None:
        bases = process.bases
        fields = note.fields()
        if note.kind == layout.NOTE_THREAD:
            process.threads[note.key] = int(fields[0])
            name = fields[1] or None
            self.writer.insert("threads", id=bases.thread + note.key, process_id=process.id, native_id=int(fields[0]), name=name)
        elif note.kind == layout.NOTE_SOCKET:
            self._socket(process, note.key, dict(zip(layout.SOCKET_FIELDS, fields, strict=True)))
        elif note.kind == layout.NOTE_SOCKET_IS:
            changes = dict(zip(fields[::2], fields[1::2], strict=True))
            process.sockets.setdefault(note.key, {}).update(changes)
            self.writer.update("sockets", bases.socket + note.key, **changes)
            self._note_listener(process, note.key)
        elif note.kind == layout.NOTE_PAIR:
            ends = bases.socket + note.key, bases.socket + int(fields[0])
            self.writer.update("sockets", ends[0], pair_id=ends[1])
            self.writer.update("sockets", ends[1], pair_id=ends[0])
        elif note.kind == layout.NOTE_CLOSED:
            process.open_sockets.discard(note.key)
            self.moved.closed(process.id, note.key, process.sockets.pop(note.key, {}), fields[2:])
            self.writer.update("sockets", bases.socket + note.key, closed_ns=int(fields[0]) - self.start_ns, closed_by=fields[1])
        elif note.kind == layout.NOTE_SITE:
            write_site(self.writer, process, note.key, *fields)
        elif note.kind == layout.NOTE_ADDRESS:
            self.writer.insert("addresses", id=bases.address + note.key, text=fields[0])
        elif note.kind == layout.NOTE_CHILD:
            self.children[note.key] = (process.id, fields[0], fields[1], fields[2:])
            self.journal.child(note.key, self.children[note.key])
            if fields[1]:
                self.unrecorded[note.key] = fields[1]
                self._insert_unrecorded(note.key, process.id, fields[0], fields[2:], fields[1])
        elif note.kind == layout.NOTE_READINESS:
            id_ = self._call_id(process, note.key)
            rows = process.readiness.note(note.key, fields)
            self.writer.readiness((id_, bases.socket + socket, interest, events) for socket, interest, events in rows)
        elif note.kind == layout.NOTE_OVER_MEMORY:
            process.wrapping.begin(note.key, int(fields[0]))
        elif note.kind == layout.NOTE_SIGNAL:
            deliveries.take(self, process, note.key, fields)
        elif note.kind == layout.NOTE_BLIND:
            self.add_blind_spot(fields[0])
        elif note.kind == layout.NOTE_LINK:
            self.writer.links([(self._call_id(process, note.key), self._call_id(process, int(fields[0])), fields[1])])
        elif note.kind == layout.NOTE_EXTENSION:
            known = by_module(fields[0])
            if known is not None:
                self.add_blind_spot(known.sentence)

    def _socket(self, process: Process, number: int, told: dict[str, str]) -> None:
        base = process.bases.socket
        origin_id = None
        origin_base = base
        if int(told["origin_socket"]):
            if told["origin_tape"]:
                owner = next((p for p in [*self.processes, *self.ended] if p.reader.head.name == told["origin_tape"]), None)
                origin_base = owner.bases.socket if owner else -1
            origin_id = origin_base + int(told["origin_socket"]) if origin_base >= 0 else None
        opened_ns, inode = int(told["opened_ns"]) - self.start_ns, int(told["inode"])
        life = self.origins.trace_back(inode, Life(base + number, process.id, int(told["fd"]), opened_ns, told["origin"], origin_id))
        self.writer.insert(
            "sockets",
            id=base + number,
            process_id=process.id,
            fd=int(told["fd"]),
            kind=told["kind"],
            family=told["family"],
            type=told["type"],
            role=told["role"],
            local=told["local"] or None,
            peer=told["peer"] or None,
            parent_id=base + int(told["parent"]) if int(told["parent"]) else None,
            origin=life.origin,
            origin_id=life.origin_id,
            opened_ns=opened_ns,
            internal=int(told["internal"]),
        )
        for child in self.origins.children_of(inode, life):
            self.writer.update("sockets", child.id, origin=child.origin, origin_id=child.origin_id)
        process.open_sockets.add(number)
        self.moved.opened(process.id, number, told)
        self.unseen.met(told["inode"])
        process.sockets[number] = told
        self._note_listener(process, number)

    def _note_listener(self, process: Process, number: int) -> None:
        told = process.sockets.get(number, {})
        if told.get("role") == "listener" and told.get("local"):
            found = (told.get("family", ""), told["local"])
            if found not in self.listening:
                self.listening.append(found)

    def _end(self, process: Process, closed_by: str, ended_ns: int) -> None:
        """Take in the last of a process, and say what its end did to calls and sockets."""
        if self.ahead is not None:
            self.ahead.forget(process.reader)
        while self._read(process, ended=True) >= self.step_calls:
            self._settle()
        self._show_open(process, all_of_them=True)
        # Where the file takes no more, only calls that stand in it are counted.
        tally, shown = (self.tally, process.kept_open) if self.writer.muted else (self._fresh, process.shown_open)
        for number, slot in process.reader.open_calls():
            if number in shown:
                tally.add_unfinished(process.id, slot_columns(slot)["operation"][0])
        process.ended_ns = ended_ns if process.found_dead_ns is None else process.found_dead_ns
        for number in process.open_sockets:
            self.writer.update("sockets", process.bases.socket + number, closed_ns=process.ended_ns, closed_by=closed_by)
        self.writer.update("processes", process.id, ended_ns=process.ended_ns)
        process.lost, process.faults = process.reader.lost()
        self.numbering.reclaim(process.segment_ids, process.reader.calls.position)
        if process.pidfd is not None:
            os.close(process.pidfd)
            process.pidfd = None
        self.processes.remove(process)
        self.ended.append(process)
        self.journal.ended(process)
        self._commit()
        process.reader.close()

    @property
    def calls_lost(self) -> int:
        """How many calls found no place: on their tape, or in a file that took no more."""
        lost = sum(process.lost for process in self.ended) + sum(process.reader.lost()[0] for process in self.processes)
        return lost + self.lost_before + (self.calls_recorded - self.calls_kept if self.writer.muted else 0)

    def finish(self) -> None:
        """End whatever is left, name the children that never spoke, write the last counts."""
        self.find_processes()
        for process in list(self.processes):
            self._end(process, closed_by="exit", ended_ns=self.run_ns())
        known = {process.pid for process in self.ended}
        for pid, (parent, started_by, why_not, command) in self.children.items():
            if pid not in known and not why_not and pid not in self.unrecorded:
                self._insert_unrecorded(pid, parent, started_by, command, "no Python that could be reached")
        faults = sum(process.faults for process in self.ended)
        if faults:
            self.add_blind_spot(f"the agent met {faults} errors of its own: details of as many calls may be missing")
        if self.moved.sentence() and not self.calls_lost:
            self.add_blind_spot(self.moved.sentence())
        self._commit()
        if not self.writer.muted:
            self._write_last()

    def finish_muted(self) -> None:
        """Write what can be written of a run whose file took no more: after `finish`, once there is a little room.

        What was read meanwhile is counted as lost. Calls that stand open in the file and have returned get their end.
        """
        lost = self.calls_lost
        self.writer.unmute()
        self.lost_before, self.calls_recorded = lost - sum(process.lost for process in self.ended), self.calls_kept
        # The least first: these few bytes find room where the rest may not.
        self.journal.not_kept(self.lost_before)
        self.writer.update_run(calls_recorded=self.calls_recorded, calls_lost=lost, blind_spots=json_text(self.blind_spots))
        self.writer.commit()
        for process, number, slot in self._returned:
            columns = self._columns(process, number, slot)
            self.writer.close_call(columns, process.bases)
            bases = process.bases
            self.tally.add_slots(process.id, slot, columns["id"][0], bases.thread, bases.socket, self.start_ns)
        self.writer.drop_orphans()
        for process in self.ended:
            self.writer.update("processes", process.id, ended_ns=process.ended_ns)
        self._write_last()

    def _write_last(self) -> None:
        self.writer.levels([*self._levels, *self.tally.settled_levels(finish=True)])
        self.writer.mend_signals()
        self.write_counts()
        self.writer.commit()

    def write_counts(self) -> None:
        """Bring the counts of the run up to date."""
        if not self.counted_later:
            self.writer.summaries(self.tally.summary_rows())
        self.writer.update_run(calls_recorded=self.calls_recorded, calls_lost=self.calls_lost, blind_spots=json_text(self.blind_spots))
