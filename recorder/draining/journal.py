"""How far each tape was read, put down with the rows that were made of it, and taken up again.

Owns what the rows of `recovery` hold (see schema.sql). A drain whose recorder died is continued by
another one: because rows and journal share their transaction, no call comes twice and none is left out.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...traces import TraceError
from ...traces.writer import Bases, json_text
from ..tapes.head import Head
from ..tapes.tape import TapeReader
from .alive import open_pidfd
from .process import Process

if TYPE_CHECKING:
    from ...traces.writer import RunWriter
    from .drain import Drain

_NOWHERE = Path("/nonexistent")  # where a tape is that is gone
_SEGMENTS_KEPT = 16  # a call may still name its parent in a segment that is gone


class Journal:
    """Puts down, in the transaction that is open, what another recorder would need.

    Args:
        writer: of the run.
    """

    def __init__(self, writer: RunWriter) -> None:
        self.writer = writer
        self._written: dict[str, tuple[int, ...]] = {}

    def head(self, head: Head) -> None:
        """Put down who wrote a tape: the file may be gone when somebody asks."""
        self.writer.remember("head", head.name, json_text(asdict(head)))

    def child(self, pid: int, told: tuple[int, str, str, list[str]]) -> None:
        """Put down a child that was started: process, how, why it goes unrecorded, command."""
        self.writer.remember("child", str(pid), json.dumps(told))

    def unrecorded(self, pid: int, reason: str) -> None:
        """Put down a process that left a word instead of a tape."""
        self.writer.remember("unrecorded", str(pid), json_text(reason))

    def not_kept(self, calls: int) -> None:
        """Put down how many calls were read when the file took no more."""
        self.writer.remember("lost", "", json.dumps(calls))

    def tapes(self, processes: list[Process]) -> None:
        """Put down how far the tapes of living processes were read, where that has changed."""
        for process in processes:
            calls, notes = process.reader.calls, process.reader.notes
            waiting = sum(len(segment.waiting) for stream in (calls, notes) for segment in stream.segments.values())
            now = (calls.position, notes.position, waiting, process.calls, len(process.shown_open))
            if self._written.get(process.reader.head.name) != now:
                self._written[process.reader.head.name] = now
                state = {"segments": _segments(process), "shown": sorted(process.shown_open), "unclear": process.deliveries.kept()}
                self._put(process, {**process.reader.progress(), **state})

    def ended(self, process: Process) -> None:
        """Put down that all of a tape is in the trace."""
        self._put(process, {"lost": process.lost, "faults": process.faults})

    def _put(self, process: Process, state: dict[str, Any]) -> None:
        bases = process.bases
        own = {"process": process.id, "bases": [bases.thread, bases.socket, bases.site, bases.address, bases.signal]}
        self.writer.remember("tape", process.reader.head.name, json.dumps({**own, **state}, separators=(",", ":")))


def _segments(process: Process) -> list[tuple[int, int]]:
    """Return (segment, id of its first slot) of those that somebody may ask for again."""
    late = min(process.reader.calls.segments, default=1 << 62)
    newest = max(process.segment_ids, default=0)
    return [(number, id_) for number, id_ in process.segment_ids.items() if number >= min(late, newest - _SEGMENTS_KEPT)]


def resume(drain: Drain, same_boot: bool) -> int:
    """Bring a new drain to where another one was at its last commit.

    Args:
        drain: has read nothing yet.
        same_boot: its processes may still run; False: the machine has started anew since.

    Returns:
        How many calls had been read and not kept, because the file took no more.

    Raises:
        TraceError: the journal is of another version.
    """
    writer = drain.writer
    drain.moved.known = False  # what was counted before is gone with its recorder
    try:
        tapes = [(name, json.loads(state)) for name, state in writer.remembered("tape").items()]
        heads = {name: Head(**json.loads(state)) for name, state in writer.remembered("head").items()}
        signs = dict(writer.asked("last_signs_of_run"))
        sockets = writer.asked("open_sockets_of_run")
        for name, state in sorted(tapes, key=lambda tape: int(tape[1]["process"])):
            head = Head(**{**asdict(heads[name]), "command": tuple(heads[name].command)})
            process = _process(drain, head, state, same_boot)
            (drain.census.ended if "lost" in state else drain.census.alive).append(process)
            process.open_sockets = {id_ - process.bases.socket for owner, id_ in sockets if owner == process.id}
            if process.pidfd is None:
                process.found_dead_ns = max(signs.get(process.id, 0), head.started_ns - drain.start_ns)
        for pid, told in writer.remembered("child").items():
            process_id, started_by, why_not, command = json.loads(told)
            drain.census.children[int(pid)] = (process_id, started_by, why_not, command)
            if why_not:
                drain.census.unrecorded[int(pid)] = why_not
        for pid, reason in writer.remembered("unrecorded").items():
            drain.census.seen.add(f"{pid}.unrecorded")
            drain.census.unrecorded[int(pid)] = json.loads(reason)
        drain.numbering.go_on([*drain.census.ended, *drain.census.alive])
        return sum(json.loads(calls) for calls in writer.remembered("lost").values())
    except (KeyError, TypeError, ValueError) as error:
        reason = f"what its recorder left cannot be read ({error!r}): recover it with the version that made it"
        raise TraceError(f"{writer.path}: {reason}") from error


def _process(drain: Drain, head: Head, state: dict[str, Any], same_boot: bool) -> Process:
    reader = TapeReader(drain.census.folders, _head_file(drain.census.folders, head.name), head)
    thread, socket, site, address, signal = state["bases"]
    bases = Bases(thread, socket, site, address, signal, drain.start_ns)
    alive = same_boot and bool(drain.census.folders) and "lost" not in state
    process = Process(state["process"], reader, bases, open_pidfd(head.pid, head.started_ns) if alive else None)
    drain.census.seen.add(reader.path.name)
    if "lost" in state:
        process.lost, process.faults = state["lost"], state["faults"]
        reader.close()  # what the other recorder had no time for
        return process
    reader.resume(state)
    process.segment_ids = dict(state["segments"])
    process.shown_open = set(state["shown"])
    process.kept_open = set(state["shown"])
    process.deliveries.restore(state.get("unclear", ()))
    return process


def _head_file(folders: tuple[Path, ...], name: str) -> Path:
    paths = [folder / f"{name}.head" for folder in folders]
    return next((path for path in paths if path.exists()), (folders[0] if folders else _NOWHERE) / f"{name}.head")
