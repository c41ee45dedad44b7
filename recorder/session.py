"""One recording, from the start of the program to the last line of the trace.

Owns the loop: drain, samples, clocks, clients, limits, signals, and how a run ends. Knows every
part of the room; nobody in the room knows it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import SockreelError
from ..traces import TraceError, create_trace
from ..traces.exchanges import link_exchanges
from ..traces.store import remove_trace
from ..traces.writer import RunWriter, json_text
from . import collecting, priority, stamping
from .capture.recording import RunPackets
from .clock import clock_pair
from .draining.alive import has_ended
from .draining.drain import SMALL_STEP_CALLS, STEP_CALLS, Drain
from .draining.silent import Silent
from .ending import Ending
from .launching import launch
from .launching.place import Place, Reserve, Room, make_place, reserve_of
from .launching.place import RecordError as RecordError
from .linking.senders import join_senders
from .sampling import Sampler
from .settings import Result as Result
from .settings import Settings as Settings
from .tapes.ahead import Ahead
from .workloads.crowd import Crowd

_STEP_S = 0.02
_SECOND_S, _GOODBYE_S = 1.0, 0.2
_UNTOLD = ("workload", "existing", "by_socket", "sample_s", "keep_last_words", "gives_way")  # settings
_HELLO_S = 5.0


def record(command: launch.Command, settings: Settings, say: Callable[[str], None]) -> Result:
    """Record one program.

    Args:
        command: what to run.
        settings: how.
        say: takes a line for the user, while the program runs.

    Returns:
        How it ended.

    Raises:
        SockreelError: it could not be begun.
    """
    with launch.our_own_umask() as umask:
        return _record(command, settings, say, umask)


def _record(command: launch.Command, settings: Settings, say: Callable[[str], None], umask: int) -> Result:
    is_new = not settings.output.exists() or settings.existing == "replace"
    database = create_trace(settings.output, settings.existing)
    writer = RunWriter(settings.output, database)
    session: _Session | None = None
    try:
        if settings.label is not None and writer.has_label(settings.label):
            raise TraceError(f"{settings.output} already has a run labelled {settings.label}: give another --label")
        reserve = Reserve(settings.output)
        told = {"payload": str(settings.payload_bytes), "core": settings.core or "", "kernel_times": "yes" if settings.kernel_times else ""}
        place = make_place(settings.output, settings.tape, told)
        session = _Session(command, settings, writer, place, reserve, say)
        session.umask = umask
        return session.run()
    except (SockreelError, OSError) as error:  # the latter: no descriptor is left
        if is_new and (session is None or not session.launched):
            writer.close()
            remove_trace(settings.output)
        if isinstance(error, OSError) and session is not None and session.launched:
            again = f"the program runs on, and its tape stays; then: sockreel recover {settings.output}"
            raise RecordError(f"{error.strerror or error}: {again}") from error
        raise
    finally:
        writer.close()
        reserve_of(settings.output).unlink(missing_ok=True)
        # Where something unforeseen ended us, the program may still run: its tape stays for `recover`.
        if session is not None and (session.finished or not session.launched):
            session.place.remove()


class _Session:
    def __init__(
        self,
        command: launch.Command,
        settings: Settings,
        writer: RunWriter,
        place: Place,
        reserve: Reserve,
        say: Callable[[str], None],
    ) -> None:
        self.command = command
        self.settings = settings
        self.writer = writer
        self.place = place
        self.reserve = reserve
        self.room = Room(settings.output)
        self.say = say
        self.umask = -1  # of the program; -1: ours
        self.launched = False
        self.finished = False
        self.full: tuple[float, str] | None = None  # when the trace took no more, and why
        self.start_ns = time.monotonic_ns()
        self.end_clock = (self.start_ns, 0)  # CLOCK_MONOTONIC and CLOCK_REALTIME
        self.crowd: Crowd | None = None
        self.packets: RunPackets | None = None
        self.crowd_called = False
        self.crowd_left = 0.0
        self.program: subprocess.Popen[bytes]
        self.status: int | None = None  # of the program, as waitpid gives it
        self.rusage: Any = None
        self.ending = Ending(self._signal, self._alive, say)
        self.complaints: list[str] = []
        self.described = False
        self.interpreter: dict[str, Any] = {}  # columns of the run's row
        self.named: set[int] = set()
        self.learned: dict[str, Any] = {"folded_from_ns": 0} if settings.fold else {}  # told in runs.settings beside the options

    def run(self) -> Result:
        """Start, loop, finish."""
        settings = self.settings
        started_at = datetime.now(timezone.utc).isoformat(timespec="microseconds")
        self.writer.begin(
            label=settings.label,
            model=settings.model,
            command=json_text(list(self.command.arguments)),
            directory=str(Path.cwd()),
            host=platform.node(),
            kernel=f"{platform.system()} {platform.release()}",
            started_at=started_at,
            recorder_version=__version__,
            settings=json_text(self._settings()),
        )
        if settings.workload is not None:
            workload = settings.workload
            self.crowd = priority.at_our_first(lambda: Crowd(workload, settings.allow_remote))
        ahead = Ahead()  # before we give way to the program: it is to be ahead of it
        self.drain = Drain(self.writer, self.place.folders, self.start_ns, ahead)
        self.drain.calls.folded_from_ns = 0 if settings.fold else None
        self.drain.calls.by_socket = settings.by_socket
        self.silent = Silent(self.drain.census, self.place.folders[0])
        self.sampler = Sampler(self.drain, self.writer, settings.sample_s)
        try:
            with self.ending.taking_signals(), collecting.seldom(), stamping.awake(settings.kernel_times):
                self._clock()
                self.writer.commit()  # before the program runs: whoever recovers it must find its tape
                try:
                    self._begin_packets()
                    self.program = priority.at_our_first(
                        lambda: launch.start(self.command, self.place.folders[0], settings.silent, settings.keep_last_words, self.umask)
                    )
                    self.launched = True
                    if settings.gives_way:
                        priority.give_way()
                except (SockreelError, OSError):
                    self.reserve.release()
                    self.writer.forget()
                    raise
                # From here on the trace may fail, and the program must not: nothing that writes raises any more.
                self.writer.goes_on = True
                if self.command.deaf:
                    self.say(f"{self.command.arguments[0]} runs with {self.command.deaf} and cannot be recorded; it runs on")
                self._loop()
            return self._finish()
        finally:
            ahead.stop()
            self.silent.close()
            if self.crowd is not None:
                self.crowd.stop()
            if self.packets is not None and (self.finished or not self.launched):
                self.packets.remove()

    def _begin_packets(self) -> None:
        wanted = self.settings
        if wanted.packets:
            told = (wanted.payload_bytes, wanted.packet_ring_bytes, wanted.max_size_bytes)
            self.packets = priority.at_our_first(lambda: RunPackets(self.writer, *told))

    def _settings(self) -> dict[str, Any]:
        told = {name: value for name, value in asdict(self.settings).items() if value is not None and name not in _UNTOLD}
        told |= {name: str(value) for name, value in told.items() if isinstance(value, Path)}
        if self.settings.workload is not None:
            told["workload"] = self.settings.workload.name
        return told | self.learned | self.place.told()

    def _signal(self, number: int) -> None:
        """Send a signal to every recorded process that still runs."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.program.pid, number)
        self.silent.send(number)
        for process in self.drain.census.alive:
            if process.pidfd is not None and process.pid != self.program.pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(process.pidfd, number)

    # The loop.

    def _alive(self) -> bool:
        alive = self.status is None or any(not has_ended(process.pidfd) for process in self.drain.census.alive)
        return alive or self.silent.are_there()

    def _loop(self) -> None:
        now = time.monotonic()
        self.next_second = now + _SECOND_S
        self.deadline = now + self.settings.for_s if self.settings.for_s is not None else None
        self.hello_due: float | None = now + _HELLO_S
        while True:
            try:
                if self._turn():
                    return
            except TraceError as error:  # what has nothing to do with rows: the size of the file, its log
                self._stop_writing(str(error))
                self._rest()

    def _turn(self) -> bool:
        """Do once what there is to do; return whether the run has ended."""
        self._wait_for_program()
        alive = self._alive()
        roomy = self.room.is_ample()
        self.drain.step_calls = STEP_CALLS if roomy else SMALL_STEP_CALLS
        behind = self.drain.step() >= self.drain.step_calls
        if self.writer.muted:
            self._stop_writing(self.writer.trouble)
        elif not roomy:
            self._look_for_room()
        self._fold_when_large()
        self._name_unrecorded()
        self._note_beside(alive)
        if not behind:
            self.drain.unseen.look_when_due()
        self._crowd_step()
        self.ending.answer_signals()
        self._limits(time.monotonic(), self.deadline)
        if not alive and not behind and not self._alive() and not self.silent.look():
            return True
        if not behind:
            self._rest()
        return False

    def _note_beside(self, alive: bool) -> None:
        """Note what is due beside the calls: who runs, samples, clocks, counts."""
        now = time.monotonic()
        if self.drain.census.alive or self.drain.census.ended:
            self.hello_due = None
            self._describe()
        self.sampler.look_when_due(now, alive)
        if now >= self.next_second:
            self._clock()
            self.drain.write_counts()
            self.writer.commit()
            self.next_second = now + _SECOND_S
        if self.hello_due is not None and now >= self.hello_due and not self.command.deaf:
            self.say("no recordable Python has started yet in this program; it runs on")
            self.hello_due = None

    # A trace that takes no more.

    def _look_for_room(self) -> None:
        """End the recording, not the program, while there is still room to end it well."""
        if self.room.is_running_out(self.writer):
            self._stop_writing(f"no room is left in {self.settings.output.absolute().parent}")

    def _stop_writing(self, why: str) -> None:
        """From now on read tapes to count what was not recorded, and let the program run to its end."""
        if self.full is None:
            self.full = self.drain.run_ns() / 1e9, why
        self.writer.mute()

    def _finish_full(self) -> None:
        """Write what can be written into a trace that took no more: its reserve is given back for that."""
        self._stop_writing(self.writer.trouble)
        assert self.full is not None
        at_s, why = self.full
        self.reserve.release()
        lost = self.drain.calls_lost
        calls = "1 call was" if lost == 1 else f"{lost:,} calls were"
        self.complaints.append(f"recording stopped after {at_s:.1f} s ({why}), the program ran on: {calls} not recorded")
        self.drain.spots.add(f"what happened after {at_s:.1f} s: {why}")
        self.drain.finish_muted()  # the log stays where it is until the end is in it: in the file it needs room of its own

    def _no_last_words(self, why: str) -> None:
        again = f"make room, then: sockreel recover {self.settings.output}"
        self.complaints.append(f"the end of the run could not be written ({why}); {again}")

    def _name_unrecorded(self) -> None:
        """Say at once which process runs without us, and why."""
        for pid, reason in self.drain.census.unrecorded.items():
            if pid not in self.named:
                self.named.add(pid)
                self.say(f"process {pid} runs unrecorded: {reason}")

    def _rest(self) -> None:
        """Wait a step, or less when the program ends."""
        time.sleep(_STEP_S if self.status is None else _STEP_S / 4)

    def _wait_for_program(self) -> None:
        if self.status is not None:
            return
        ended = os.waitid(os.P_PID, self.program.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return
        # Not yet reaped: its totals can still be read.
        self.sampler.look()
        _, status, self.rusage = os.wait4(self.program.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        self.program.returncode = self.status

    def _limits(self, now: float, deadline: float | None) -> None:
        if not self.ending.is_under_way:
            if deadline is not None and now >= deadline:
                self.ending.begin("for", now)
            elif self.settings.max_calls is not None and self.drain.calls.recorded >= self.settings.max_calls:
                self.ending.begin("max_calls", now)
        self.ending.send_due(now)

    def _fold_when_large(self) -> None:
        """From the size asked for on, count the calls of long spins instead of keeping each."""
        most, drain = self.settings.max_size_bytes, self.drain
        if most is None or drain.calls.folded_from_ns is not None or self.writer.file_bytes() < most:
            return
        at_ns = drain.calls.folded_from_ns = self.learned["folded_from_ns"] = drain.run_ns()
        self.writer.update_run(settings=json_text(self._settings()))
        size = f"{most >> 20:,} MB" if most >= 1 << 20 else f"{most:,} bytes"
        self.complaints.append(
            f"the trace reached {size} (--max-size) after {at_ns / 1e9:.1f} s: from then on long spins are counted, not kept"
        )

    def _crowd_step(self) -> None:
        crowd = self.crowd
        if crowd is None:
            return
        if not self.crowd_called and self.drain.notes.listening:
            self.crowd_called = True
            crowd.connect(*self.drain.notes.listening[0])
        self._take_exchanges(crowd)
        if (crowd.finished or crowd.over) and not self.ending.by:
            now = time.monotonic()
            self.crowd_left = self.crowd_left or now
            if not crowd.server_first and now < self.crowd_left + _GOODBYE_S:
                return  # the server is to see the last of them leave
            if crowd.error:
                self.complaints.append(f"the workload failed: {crowd.error}")
            self.ending.begin("workload", now)

    def _take_exchanges(self, crowd: Crowd) -> None:
        for exchange in crowd.poll():
            row = dict(vars(exchange))  # flat: asdict takes twenty times as long
            for name in ("connected_ns", "sent_ns", "answered_ns"):
                if row[name] is not None:
                    row[name] -= self.start_ns
            self.writer.insert_surely("exchanges", run_id=self.writer.run_id, **row)

    # What is noted beside the calls.

    def _clock(self, now: tuple[int, int] | None = None) -> None:
        monotonic_ns, realtime_ns = now or clock_pair()
        self.writer.insert(
            "clocks", run_id=self.writer.run_id, at_ns=monotonic_ns - self.start_ns, monotonic_ns=monotonic_ns, realtime_ns=realtime_ns
        )

    def _describe(self) -> None:
        """Take the run's interpreter from its first recorded process."""
        if self.described:
            return
        self.described = True
        head = (self.drain.census.alive or self.drain.census.ended)[0].reader.head
        self.learned["core_reason"] = head.core_reason
        self.interpreter = {"python": head.python, "core": head.core, "call_cost_ns": head.cost_ns or None}
        self.writer.update_run(**self.interpreter, settings=json_text(self._settings()))
        main = next((process for process in self.drain.census.all if process.pid == self.program.pid), None)
        if main is None and not self.command.deaf:
            self.drain.spots.add(f"{self.command.arguments[0]} itself was not recorded, only its children")

    def _finish(self) -> Result:
        self.drain.finish()
        status = self.status if self.status is not None else 0
        shown = 128 - status if status < 0 else status
        ended_by = self.ending.by or ("signal" if status < 0 else "exit")
        self._describe_nothing()
        self._finish_beside()
        if not self.writer.muted:
            self._write_end(shown, ended_by)
        if self.writer.muted:
            self._finish_full()
            self._write_end(shown, ended_by)
            self._write_exchanges()
        if self.writer.muted:
            self._no_last_words(self.writer.trouble)
        else:
            self._leave_one_file()
        self.finished = True
        ours = ended_by in ("for", "max_calls", "workload")
        packets = (self.packets.kept, self.packets.lost) if self.packets is not None else (None, None)
        calls = (self.drain.calls.recorded, self.drain.calls_lost)
        return Result(self.writer.run_id, 0 if ours else shown, ended_by, *calls, tuple(self.complaints), *packets)

    def _finish_beside(self) -> None:
        """End clients and capture, and write what a run can be without: each by itself, so that it is there or not."""
        if self.crowd is not None:
            self.crowd.stop()
            self._take_exchanges(self.crowd)
            if not self.crowd_called:
                self.complaints.append("the program never listened, so no client of the workload ever called")
        self.end_clock = clock_pair()
        if not self.writer.muted:
            try:
                with self.writer.apart():
                    join_senders(self.writer, self.drain.calls_lost)
            except TraceError as error:
                self._complain_of_parts(f"which send each receive read is not in the trace: {error}")
            self._write_exchanges()
        if self.packets is not None:
            self.complaints += self.packets.finish(self.end_clock[0] - self.start_ns)

    def _write_exchanges(self) -> None:
        """Write what clients saw, as far as the file does not have it, and which calls it was."""
        if self.crowd is None or self.writer.muted:
            return
        try:
            with self.writer.apart():
                self.writer.write_owed()
                link_exchanges(self.writer)
        except TraceError as error:
            self._complain_of_parts(f"what the clients saw is not all in the trace: {error}")

    def _complain_of_parts(self, what: str) -> None:
        if not self.writer.muted:  # then it is tried again, or said of the whole run
            self.complaints.append(what)
            self.drain.spots.add(what)

    def _write_end(self, shown: int, ended_by: str) -> None:
        """Write how the run ended: with this it is whole."""
        self._clock(self.end_clock)
        if self.rusage is not None:
            self.sampler.close(self.program.pid, self.rusage)
        main = [process for process in self.drain.census.all if process.pid == self.program.pid]
        for process in main[-1:]:  # the others became it, by exec
            self.writer.update("processes", process.id, exit_status=shown)
        self.learned |= launch.last_words(self.place.folders[0])
        told = {"exit_status": shown, "ended_by": ended_by, "settings": json_text(self._settings())}
        self.writer.update_run(duration_ns=self.end_clock[0] - self.start_ns, **told, **self.interpreter)
        self.drain.write_counts()
        self.writer.nothing_to_recover()
        self.writer.commit()

    def _leave_one_file(self) -> None:
        self.reserve.release()  # what stands in the log needs room in the file
        log = f"its newest part stays in {self.settings.output}-wal"
        try:
            if not self.writer.finish():
                self.complaints.append(f"somebody is reading {self.settings.output}: {log}")
        except TraceError as error:
            self.complaints.append(f"{error}: {log}, keep the two together")

    def _describe_nothing(self) -> None:
        """Where no agent ever spoke, say why."""
        if self.drain.census.ended:
            return
        if self.command.deaf:
            reason = f"{self.command.arguments[0]} ran with {self.command.deaf}"
        elif self.drain.census.unrecorded:
            reason = next(iter(self.drain.census.unrecorded.values()))
        else:
            reason = (f"no Python 3.8 or newer started in {self.command.arguments[0]} "
                      "(or it ended before that, or was kept from reading PYTHONPATH)")
        self.drain.spots.add(f"nothing was recorded: {reason}")
        self.complaints.append(f"nothing was recorded: {reason}")
