"""One recording, from the start of the program to the last line of the trace.

Owns the loop: drain, samples, clocks, clients, limits, signals, and how a run ends. Knows every
part of the room; nobody in the room knows it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from .. import __version__
from ..errors import SockreelError
from ..traces import TraceError, create_trace
from ..traces.writer import RunWriter, json_text
from . import launch
from .alive import has_ended
from .crowd import Crowd
from .drain import STEP_CALLS, Drain, Process
from .sample import process_sample, thread_sample
from .workload import Workload

_STEP_S = 0.02
_SAMPLE_S = 0.1
_SECOND_S = 1.0
_GOODBYE_S = 0.2
_HELLO_S = 5.0
_PATIENCE_S = 2.0  # between SIGINT, SIGTERM and SIGKILL
_NICENESS = 5  # the program and its clients come first: the tape waits for us
_SHM = Path("/dev/shm")


class RecordError(SockreelError):
    """Recording could not begin: exit status 125."""

    exit_status = 125


@dataclass(frozen=True)
class Settings:
    """What `record` was asked to do.

    Args:
        output: the trace.
        existing: what to do where it exists.
        label, model: for the run's row.
        for_s: end the run after so many seconds; None: when the program ends.
        max_calls: end it after so many calls.
        payload_bytes: how many bytes of each payload to keep.
        workload: clients to send once the program listens; the run ends with them.
        tape: folder for tapes; None: shared memory, and beside the trace where that is full.
        core: what writes the tape; None: the best there is.
        allow_remote: whether the clients may go to another machine.
        silent: whether the program's standard output is thrown away.
        fold: count the calls of long spins instead of keeping each.
        max_size_bytes: from this size of the trace on, fold; None: never for its size.
    """

    output: Path
    existing: Literal["refuse", "append", "replace"] = "refuse"
    label: str | None = None
    model: str | None = None
    for_s: float | None = None
    max_calls: int | None = None
    payload_bytes: int = 256
    workload: Workload | None = None
    tape: Path | None = None
    core: str | None = None
    allow_remote: bool = False
    silent: bool = False
    fold: bool = False
    max_size_bytes: int | None = None


@dataclass(frozen=True)
class Result:
    """How a recording ended.

    Args:
        run_id: in the trace.
        exit_status: what `record` exits with.
        ended_by: as in `runs.ended_by`.
        calls, lost: recorded, and not recorded.
        complaints: what went otherwise than asked, a line each.
    """

    run_id: int
    exit_status: int
    ended_by: str
    calls: int
    lost: int
    complaints: tuple[str, ...]


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
    is_new = not settings.output.exists() or settings.existing == "replace"
    database = create_trace(settings.output, settings.existing)
    writer = RunWriter(settings.output, database)
    try:
        if settings.label is not None and writer.has_label(settings.label):
            raise TraceError(f"{settings.output} already has a run labelled {settings.label}: give another --label")
        with _tape_folders(settings) as folders:
            session = _Session(command, settings, writer, folders, say)
            return session.run()
    except launch.LaunchError:
        writer.close()
        if is_new:
            settings.output.unlink(missing_ok=True)
        raise
    finally:
        writer.close()


@contextlib.contextmanager
def _tape_folders(settings: Settings) -> Any:
    """Make the tape directory (and the one beside the trace, for when shared memory is full); remove them at the end."""
    beside = settings.output.absolute().parent
    first = settings.tape if settings.tape is not None else _SHM if os.access(_SHM, os.W_OK) else beside
    try:
        folders = [Path(tempfile.mkdtemp(prefix="sockreel-", dir=first))]
        if settings.tape is None and first != beside:
            folders.append(Path(tempfile.mkdtemp(prefix=f".{settings.output.name}-tape-", dir=beside)))
    except OSError as error:
        raise RecordError(f"cannot make a folder for the tape in {error.filename or first}: {error.strerror}") from error
    lines = {"payload": str(settings.payload_bytes), "core": settings.core or "", "trace": str(settings.output.absolute())}
    if len(folders) > 1:
        lines["spill"] = str(folders[1])
    (folders[0] / "settings").write_text("".join(f"{name} {value}\n" for name, value in lines.items()), errors="surrogateescape")
    try:
        yield tuple(folders)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


class _Session:
    def __init__(
        self, command: launch.Command, settings: Settings, writer: RunWriter, folders: tuple[Path, ...], say: Callable[[str], None]
    ) -> None:
        self.command = command
        self.settings = settings
        self.writer = writer
        self.folders = folders
        self.say = say
        self.start_ns = time.monotonic_ns()
        self.crowd: Crowd | None = None
        self.crowd_called = False
        self.crowd_left = 0.0
        self.program: subprocess.Popen[bytes]
        self.status: int | None = None  # of the program, as waitpid gives it
        self.rusage: Any = None
        self.ended_by = ""
        self.complaints: list[str] = []
        self.interrupts = 0
        self.passed_on: list[int] = []
        self.endings: list[tuple[float, int]] = []  # (when, signal) still to be sent to end the run
        self.sampled_listening = 0
        self.described = False
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
        self.drain = Drain(self.writer, self.folders, self.start_ns)
        self.drain.folded_from_ns = 0 if settings.fold else None
        if settings.workload is not None:
            self.crowd = Crowd(settings.workload, settings.allow_remote)
        try:
            with self._signals():
                self._clock()
                try:
                    self.program = launch.start(self.command, self.folders[0], self.settings.silent)
                    os.setpriority(os.PRIO_PROCESS, 0, min(os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS, 19))
                except launch.LaunchError:
                    self.writer.forget()
                    raise
                self.writer.commit()
                if self.command.deaf:
                    self.say(f"{self.command.arguments[0]} runs with {self.command.deaf} and cannot be recorded; it runs on")
                self._loop()
            return self._finish()
        finally:
            if self.crowd is not None:
                self.crowd.stop()

    def _settings(self) -> dict[str, Any]:
        told = {name: value for name, value in asdict(self.settings).items() if value is not None and name not in ("workload", "existing")}
        told |= {name: str(value) for name, value in told.items() if isinstance(value, Path)}
        if self.settings.workload is not None:
            told["workload"] = self.settings.workload.name
        return told | self.learned

    # Signals.

    @contextlib.contextmanager
    def _signals(self) -> Any:
        """Take Ctrl-C and SIGTERM ourselves; what the caller ignored stays ignored, for us and the program."""
        before = {}
        for number, handler in ((signal.SIGINT, self._interrupted), (signal.SIGTERM, self._terminated), (signal.SIGHUP, self._terminated)):
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        # The terminal has sent the same Ctrl-C to the program, being in our process group.
        self.interrupts += 1

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        self.passed_on.append(number)

    def _answer_signals(self, said: int) -> int:
        """Do what signals that came since the last time ask for.

        Args:
            said: how many interrupts were answered.

        Returns:
            How many are answered now.
        """
        while self.passed_on:
            self.ended_by = self.ended_by or "terminated"
            self._signal(self.passed_on.pop(0))
        if self.interrupts > said:
            self.ended_by = self.ended_by or "interrupt"
            if self.interrupts == 1:
                self.endings = []
                if self._alive():
                    self.say("waiting for the program to end; Ctrl-C again sends SIGTERM, a third time SIGKILL")
            else:
                self._signal(signal.SIGTERM if self.interrupts == 2 else signal.SIGKILL)
        return self.interrupts

    def _signal(self, number: int) -> None:
        """Send a signal to every recorded process that still runs."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.program.pid, number)
        for process in self.drain.processes:
            if process.pidfd is not None and process.pid != self.program.pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(process.pidfd, number)

    # The loop.

    def _alive(self) -> bool:
        return self.status is None or any(not has_ended(process.pidfd) for process in self.drain.processes)

    def _loop(self) -> None:
        now = time.monotonic()
        next_sample, next_second = now, now + _SECOND_S
        deadline = now + self.settings.for_s if self.settings.for_s is not None else None
        said = 0
        hello_due: float | None = now + _HELLO_S
        while True:
            self._wait_for_program()
            alive = self._alive()
            behind = self.drain.step() >= STEP_CALLS
            self._fold_when_large()
            self._name_unrecorded()
            now = time.monotonic()
            if self.drain.processes or self.drain.ended:
                hello_due = None
                self._describe()
            if now >= next_sample or len(self.drain.listening) != self.sampled_listening or not alive:
                self.sampled_listening = len(self.drain.listening)
                self._sample()
                next_sample = now + _SAMPLE_S
            if now >= next_second:
                self._clock()
                self.drain.write_counts()
                self.writer.commit()
                next_second = now + _SECOND_S
            if hello_due is not None and now >= hello_due and not self.command.deaf:
                self.say("no recordable Python has started yet in this program; it runs on")
                hello_due = None
            self._crowd_step()
            said = self._answer_signals(said)
            self._limits(now, deadline)
            if not alive and not self._alive():
                return
            if not behind:
                self._rest()

    def _name_unrecorded(self) -> None:
        """Say at once which process runs without us, and why."""
        for pid, reason in self.drain.unrecorded.items():
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
        self._sample()
        _, status, self.rusage = os.wait4(self.program.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        self.program.returncode = self.status

    def _limits(self, now: float, deadline: float | None) -> None:
        if not self.endings and not self.ended_by:
            if deadline is not None and now >= deadline:
                self._end("for", now)
            elif self.settings.max_calls is not None and self.drain.calls_recorded >= self.settings.max_calls:
                self._end("max_calls", now)
        while self.endings and now >= self.endings[0][0]:
            self._signal(self.endings.pop(0)[1])

    def _fold_when_large(self) -> None:
        """From the size asked for on, count the calls of long spins instead of keeping each."""
        most, drain = self.settings.max_size_bytes, self.drain
        if most is None or drain.folded_from_ns is not None or self.writer.file_bytes() < most:
            return
        drain.folded_from_ns = self.learned["folded_from_ns"] = drain.run_ns()
        self.writer.update_run(settings=json_text(self._settings()))
        size = f"{most >> 20:,} MB" if most >= 1 << 20 else f"{most:,} bytes"
        self.complaints.append(
            f"the trace reached {size} (--max-size) after {drain.folded_from_ns / 1e9:.1f} s: from then on long spins are counted, not kept"
        )

    def _end(self, why: str, now: float) -> None:
        """Begin to end the run: SIGINT, after a while SIGTERM, after a while SIGKILL."""
        self.ended_by = why
        self.endings = [(now, signal.SIGINT), (now + _PATIENCE_S, signal.SIGTERM), (now + 2 * _PATIENCE_S, signal.SIGKILL)]

    def _crowd_step(self) -> None:
        crowd = self.crowd
        if crowd is None:
            return
        if not self.crowd_called and self.drain.listening:
            self.crowd_called = True
            crowd.connect(*self.drain.listening[0])
        self._take_exchanges(crowd)
        if crowd.finished and not self.ended_by:
            now = time.monotonic()
            self.crowd_left = self.crowd_left or now
            if now < self.crowd_left + _GOODBYE_S:
                return  # the server is to see the last of them leave
            if crowd.error:
                self.complaints.append(f"the workload failed: {crowd.error}")
            self._end("workload", now)

    def _take_exchanges(self, crowd: Crowd) -> None:
        for exchange in crowd.poll():
            row = asdict(exchange)
            for name in ("connected_ns", "sent_ns", "answered_ns"):
                if row[name] is not None:
                    row[name] -= self.start_ns
            self.writer.insert("exchanges", run_id=self.writer.run_id, **row)

    # What is noted beside the calls.

    def _clock(self) -> None:
        monotonic_ns, realtime_ns = time.monotonic_ns(), time.time_ns()
        self.writer.insert(
            "clocks", run_id=self.writer.run_id, at_ns=monotonic_ns - self.start_ns, monotonic_ns=monotonic_ns, realtime_ns=realtime_ns
        )

    def _sample(self) -> None:
        for process in self.drain.processes:
            sample = process_sample(process.pid)
            if sample is not None:
                self._insert_sample(process, None, asdict(sample))
            for number, native_id in list(process.threads.items())[:64]:
                found = thread_sample(process.pid, native_id)
                if found is not None:
                    self._insert_sample(process, process.bases.thread + number, {"run_ns": found.run_ns})

    def _insert_sample(self, process: Process, thread_id: int | None, values: dict[str, Any]) -> None:
        self.writer.insert(
            "samples", run_id=self.writer.run_id, process_id=process.id, thread_id=thread_id, at_ns=self.drain.run_ns(), **values
        )

    def _describe(self) -> None:
        """Take the run's interpreter from its first recorded process."""
        if self.described:
            return
        self.described = True
        head = (self.drain.processes or self.drain.ended)[0].reader.head
        settings = {**self._settings(), "core_reason": head.core_reason}
        self.writer.update_run(python=head.python, core=head.core, call_cost_ns=head.cost_ns or None, settings=json_text(settings))
        main = next((process for process in [*self.drain.processes, *self.drain.ended] if process.pid == self.program.pid), None)
        if main is None and not self.command.deaf:
            self.drain.add_blind_spot(f"{self.command.arguments[0]} itself was not recorded, only its children")

    def _finish(self) -> Result:
        self.drain.finish()
        self._describe_nothing()
        if self.crowd is not None:
            self.crowd.stop()
            self._take_exchanges(self.crowd)
            if not self.crowd_called:
                self.complaints.append("the program never listened, so no client of the workload ever called")
            self.writer.link_exchanges()
        self._clock()
        status = self.status if self.status is not None else 0
        shown = 128 - status if status < 0 else status
        ended_by = self.ended_by or ("signal" if status < 0 else "exit")
        for process in self.drain.ended:
            if process.pid == self.program.pid:
                self.writer.update("processes", process.id, exit_status=shown)
        self.writer.update_run(duration_ns=self.drain.run_ns(), exit_status=shown, ended_by=ended_by)
        self.drain.write_counts()
        if not self.writer.finish():
            self.complaints.append(f"somebody is reading {self.settings.output}: its newest part stays in {self.settings.output}-wal")
        ours = ended_by in ("for", "max_calls", "workload")
        return Result(
            self.writer.run_id, 0 if ours else shown, ended_by, self.drain.calls_recorded, self.drain.calls_lost, tuple(self.complaints)
        )

    def _describe_nothing(self) -> None:
        """Where no agent ever spoke, say why."""
        if self.drain.ended:
            return
        if self.command.deaf:
            reason = f"{self.command.arguments[0]} ran with {self.command.deaf}"
        elif self.drain.unrecorded:
            reason = next(iter(self.drain.unrecorded.values()))
        else:
            reason = f"no Python 3.8 or newer started in {self.command.arguments[0]} (or it was kept from reading PYTHONPATH)"
        self.drain.add_blind_spot(f"nothing was recorded: {reason}")
        self.drain.write_counts()
        self.complaints.append(f"nothing was recorded: {reason}")
