"""Finish a run whose recorder died: read what is left on its tapes, and write its end.

Owns the order of things. Drains go on by the journal (journal.py), counts are made anew from the
rows (recount.py). Whoever recovers a run puts itself down as its recorder first: a recovery that is
interrupted leaves what a dead recorder leaves, and two never work on one run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SockreelError
from ..traces import TraceError, create_trace, open_trace
from ..traces.exchanges import link_exchanges
from ..traces.recovery import Left, boot, left_by_recorder, this_recorder
from ..traces.report import blind_spots, read_json
from ..traces.writer import RunWriter, json_text
from .capture.recording import recover_packets, remove_spool
from .counting.recount import recount
from .draining import journal
from .draining.alive import has_ended
from .draining.drain import Drain
from .launching.place import Place, belongs, reserve_of
from .linking.senders import join_senders

_STEP_S = 0.02
_MANY_CALLS = 1_000_000  # counting them takes seconds


class RecoverError(SockreelError):
    """A run cannot be recovered: one line, with what to do."""


@dataclass(frozen=True)
class Recovered:
    """What became of one run.

    Args:
        run_id: of the run.
        name: what it is called behind FILE#.
        calls: in the trace by now.
        from_tape: of them, how many were not there before.
        lost: that happened and were not recorded, as far as anybody can know.
        tape_found: whether any tape was there.
        still_running: pids that `now` left to run unrecorded.
        log_stays: whether the newest part of the trace stands beside it, because somebody reads it, or there is no room.
    """

    run_id: int
    name: str
    calls: int
    from_tape: int
    lost: int
    tape_found: bool
    still_running: tuple[int, ...]
    log_stays: bool


def recover(path: Path, selector: str | None, now: bool, say: Callable[[str], None]) -> list[Recovered]:
    """Finish the runs of a trace whose recorder died.

    Args:
        path: the trace.
        selector: label or id of a run; None: all of them.
        now: do not wait for programs that still run: they go on unrecorded.
        say: takes a line for the user.

    Returns:
        What became of each; nothing where there was nothing to recover.

    Raises:
        RecoverError: a run is still being recorded.
        TraceError: the trace cannot be read or written.
    """
    with open_trace(path) as trace:
        runs = [trace.find_run(selector)] if selector is not None else trace.runs()
    lost = [left for left in map(left_by_recorder, runs) if left is not None]
    busy = [left for left in lost if left.recorder is not None]
    if busy and len(busy) == len(lost):
        raise RecoverError(f"{path}#{busy[0].run.label or busy[0].run.id} is being recorded by process {busy[0].recorder}: let it end")
    if not lost:
        for run in runs:
            _clean_up(path, read_json(run.settings, dict) or {})
        return []
    writer = RunWriter(path, create_trace(path, "append"))
    try:
        return [_Recovery(writer, left, now, say).run() for left in lost if left.recorder is None]
    finally:
        writer.close()


def _clean_up(path: Path, settings: dict[str, Any]) -> None:
    """Remove what a recorder left that died after its last word."""
    folders = settings.get("tapes")
    if isinstance(folders, list):
        Place(tuple(Path(folder) for folder in folders if isinstance(folder, str)), str(settings.get("tape_key", ""))).remove()


class _Recovery:
    def __init__(self, writer: RunWriter, left: Left, now: bool, say: Callable[[str], None]) -> None:
        self.writer = writer
        self.left = left
        self.now = now
        self.say = say
        self.settings: dict[str, Any] = {}
        self.stopped: dict[int, tuple[int, int]] = {}  # pid -> calls lost and errors until then

    def run(self) -> Recovered:
        """Take the run over, read its tapes, write its end, remove the tapes."""
        writer, left = self.writer, self.left
        writer.run_id = left.run.id
        self._take_over()
        ((start_ns, _),) = writer.asked("start_of_run")
        folders = tuple(folder for folder in left.folders if belongs(folder, left.key))
        drain = Drain(writer, folders, start_ns or 0)
        drain.calls.counted_later = drain.census.dead_at_first = True
        drain.calls.folded_from_ns = self.settings.get("folded_from_ns")
        drain.spots.sentences = list(blind_spots(left.run))
        ((before,),) = writer.asked("kept_of_run")
        drain.calls.recorded = drain.calls.kept = before
        try:
            same_boot = (self.settings.get("booted") or boot()) == boot()
            drain.calls.lost_before = journal.resume(drain, same_boot)
            waited = self._read(drain)
            reserve_of(writer.path).unlink(missing_ok=True)  # where the disk is full, this is its room
            still = self._finish(drain, bool(folders), waited)
        except BaseException:
            writer.roll_back()
            raise
        calls, lost = drain.calls.recorded, drain.calls_lost
        try:
            log_stays = not writer.finish()
        except TraceError:  # no room to take the log into the file; all of it can be read
            log_stays = True
        Place(left.folders, left.key).remove()
        remove_spool(writer.path, left.run.id)
        return Recovered(left.run.id, left.run.label or str(left.run.id), calls, calls - before, lost, bool(folders), still, log_stays)

    def _take_over(self) -> None:
        """Put ourselves down as the recorder, unless somebody was quicker."""
        writer = self.writer
        with writer.alone():
            run = writer.row_of_run()
            left = left_by_recorder(run)
            if left is None or left.recorder is not None:
                who = f"process {left.recorder}" if left else "somebody else"
                raise RecoverError(f"{writer.path}#{run.name} is being recovered by {who}")
            self.settings = read_json(run.settings, dict) or {}
            recorder = self.settings.get("recorder")
            # Which boot the program ran in; ours may be a later one.
            self.settings.setdefault("booted", recorder.get("boot") if isinstance(recorder, dict) else None)
            writer.update_run(settings=json_text({**self.settings, "recorder": this_recorder()}))

    def _read(self, drain: Drain) -> bool:
        """Read the tapes to their end, as the recorder would have; return whether any process was seen to end."""
        waited = False
        while True:
            behind = drain.step() >= drain.step_calls
            alive = [process.pid for process in drain.census.alive if not has_ended(process.pidfd)]
            if self.now:
                self._stop_agents(drain)
            if behind or (drain.census.alive and not alive):
                continue
            if not alive or self.now:
                return waited
            if not waited:
                waited = True
                pids = ", ".join(map(str, alive))
                self.say(
                    f"the program still runs (process {pids}): recording goes on until it ends;"
                    " Ctrl-C stops that, --now ends the recording and lets it run"
                )
            time.sleep(_STEP_S)

    def _stop_agents(self, drain: Drain) -> None:
        """Let programs run on unrecorded. What they lose from now on is not the run's."""
        for process in drain.census.alive:
            if process.pid not in self.stopped:
                self.stopped[process.pid] = process.reader.lost()
                process.reader.stop_agent()

    def _finish(self, drain: Drain, tape_found: bool, waited: bool) -> tuple[int, ...]:
        writer = self.writer
        still = tuple(process.pid for process in drain.census.alive)
        for pid in still:
            drain.spots.add(f"process {pid} ran on unrecorded when the run was recovered")
        if not tape_found:
            drain.spots.add("the recorder died and its tape was gone: what happened last is not known")
        run_ns = drain.run_ns()
        drain.finish()
        for process in drain.census.ended:
            if process.pid in still:
                process.lost, process.faults = self.stopped.get(process.pid, (process.lost, process.faults))
        if drain.calls.recorded > _MANY_CALLS:
            self.say(f"counting {drain.calls.recorded:,} calls anew")
        drain.mend()
        drain.calls.recorded = drain.calls.kept = recount(writer)
        join_senders(writer, drain.calls_lost)
        link_exchanges(writer)
        if drain.census.ended and self.left.run.python is None:
            head = drain.census.ended[0].reader.head
            writer.update_run(python=head.python, core=head.core, call_cost_ns=head.cost_ns or None)
        ((_, last_ns),) = writer.asked("start_of_run")
        if recover_packets(writer, max(run_ns, last_ns)) is not None:
            drain.spots.add("the recorder died: how many packets were lost is not known, and later ones were not captured")
        writer.update_run(
            duration_ns=max(run_ns, last_ns) if waited or still else last_ns,
            ended_by="recorder_lost",
            settings=json_text(self.settings),
        )
        drain.write_counts()
        writer.nothing_to_recover()
        writer.commit()
        return still
