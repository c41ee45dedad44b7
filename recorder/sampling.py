"""When to look at the CPU time of the recorded processes, and the rows that come of it.

Owns the rate and the table `samples`. Knows the drain's processes and threads, not how a run goes on.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any

from ..traces.writer import RunWriter
from .draining.drain import Drain
from .draining.process import Process
from .sample import Sample, cpu_clock_ns, native_ids, process_sample, thread_sample

_EVERY_S = 0.1
_MOST_SHARE = 0.01
"""Of one processor: with thousands of threads a look takes long, and the next one comes later."""

_NO_CHILDREN_NS = 1_000_000
"""CPU of children below this are rounding: the kernel's count of switches is then the program's own."""


class Sampler:
    """Looks at every recorded process and thread, ten times a second or as often as 1 % of a processor allows.

    Args:
        drain: knows which there are.
        writer: takes the rows.
        cpu_every_s: from one look at the CPU time of whole processes to the next, where that is to be more often.
    """

    def __init__(self, drain: Drain, writer: RunWriter, cpu_every_s: float = _EVERY_S) -> None:
        self._drain = drain
        self._writer = writer
        self._cpu_every_s = cpu_every_s
        self._due_s = self._cpu_due_s = 0.0
        self._listening = 0
        self._seen: dict[int, int] = {}  # thread -> CPU time at the last look
        self._last: dict[int, Sample] = {}  # process -> its last sample

    def look_when_due(self, now_s: float, alive: bool) -> None:
        """Look where it is time, or where something begins or ends: a program that listens now, the end of the run.

        Args:
            now_s: on the monotonic clock.
            alive: whether anything still runs.
        """
        listening = len(self._drain.notes.listening)
        if now_s >= self._due_s or listening != self._listening or not alive:
            self._listening = listening
            self.look()
        elif self._cpu_every_s < _EVERY_S and now_s >= self._cpu_due_s:
            self._cpu_due_s = now_s + self._cpu_every_s
            for process in self._drain.census.alive:
                run_ns = cpu_clock_ns(process.pid)
                if run_ns is not None:
                    self._insert(process, None, {"run_ns": run_ns})
                    if process.id in self._last:  # the last word is not to fall behind it
                        self._last[process.id] = replace(self._last[process.id], run_ns=run_ns)

    def look(self) -> None:
        """Look at all of them now. Threads that did not run since the last look get no row."""
        began_s, cpu_s = time.monotonic(), time.thread_time()
        for process in self._drain.census.alive:
            sample = process_sample(process.pid)
            if sample is None:
                continue
            self._last[process.id] = sample
            self._insert(process, None, asdict(sample))
            living = set(native_ids(process.pid))
            for number, native_id in list(process.threads.items()):
                found = thread_sample(process.pid, native_id) if native_id in living else None
                thread_id = process.bases.thread + number
                if found is not None and found.run_ns is not None and self._seen.get(thread_id) != found.run_ns:
                    self._seen[thread_id] = found.run_ns
                    self._insert(process, thread_id, {"run_ns": found.run_ns, "delay_ns": found.delay_ns})
        self._due_s = began_s + max(_EVERY_S, (time.thread_time() - cpu_s) / _MOST_SHARE)

    def close(self, pid: int, rusage: Any) -> None:
        """Note the kernel's own totals for the program, once it was waited for: what came and went between two looks is in them.

        Args:
            pid: of the program.
            rusage: what wait4 gave: of the program, and of all descendants that were waited for.
        """
        known = [*self._drain.census.alive, *self._drain.census.ended]
        main = next((process for process in known if process.pid == pid), None)
        last = self._last.get(main.id) if main is not None else None
        if main is None or not self._writer.holds("processes", main.id):
            return  # it never spoke, or its row found no room
        total_ns = round((rusage.ru_utime + rusage.ru_stime) * 1e9)
        if last is None:
            # Nobody looked while it ran. Without children all of it is its own.
            last = Sample(run_ns=total_ns) if len(known) == 1 and not self._drain.census.unrecorded else Sample(run_ns=None)
        last = replace(last, voluntary_switches=None, involuntary_switches=None)
        if last.run_ns is not None:
            last = replace(last, children_ns=max(0, total_ns - last.run_ns))
        if len(known) == 1 and not self._drain.census.unrecorded and (last.children_ns or 0) < _NO_CHILDREN_NS:
            last = replace(last, voluntary_switches=rusage.ru_nvcsw, involuntary_switches=rusage.ru_nivcsw)
        self._insert(main, None, asdict(last))

    def _insert(self, process: Process, thread_id: int | None, values: dict[str, Any]) -> None:
        self._writer.insert(
            "samples", run_id=self._writer.run_id, process_id=process.id, thread_id=thread_id, at_ns=self._drain.run_ns(), **values
        )
