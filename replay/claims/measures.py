"""What the runs show that the claims are judged by: plain figures, gathered from a trace by the labels of its runs.

Owns which run answers which question. Judges nothing, draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ...traces import Run, Trace, TraceError
from ...traces.report import Tally, statistics
from ..compare import latency_of
from ..diagnosis import diagnose
from ..reading import damaged
from ..story import load_story
from ..values import Cpu, CpuSplit, Usage
from ..waits import Wait, find_waits

_MOST = 10_000
SILENCE, BURST, TUTORIAL = "silence", "burst", "tutorial"
COPYING = {"blocking": "copying-blocking", "nonblocking": "copying-nonblocking"}


@dataclass(frozen=True, slots=True)
class Copy:
    """Receives of one size that found their data: how many, and their median and longest duration."""

    bytes: int
    calls: int
    median_ns: int
    longest_ns: int


@dataclass(frozen=True, slots=True)
class FirstWait:
    """A receive that was called before anything was sent: how long it took, and how long nobody had said anything."""

    call_id: int
    took_ns: int
    silent_ns: int


@dataclass(frozen=True, slots=True)
class Waits:
    """Calls on sockets of one role that accept or move data, by whether they could wait."""

    role: str
    waits: str
    calls: int
    sockets: int
    longest_ns: int


@dataclass(frozen=True, slots=True)
class Served:
    """One server under one workload.

    Args:
        seen: whether its calls on the connections were recorded.
        lasted_ns: from its first listen to the last look at it.
        fruitless: its calls that found nothing, and not a wait among them, summed up by operation.
    """

    name: str
    model: str
    label: str
    seen: bool
    calls: int
    fruitless_calls: int
    answers: int
    asked: int
    cpu: Cpu | None
    split: CpuSplit | None
    usage: Usage | None
    median_ns: int | None
    p99_ns: int | None
    fruitless: tuple[Tally, ...]
    waits: tuple[Waits, ...]

    @property
    def lasted_ns(self) -> int | None:
        """How long its CPU time was looked at."""
        return self.cpu.to_ns - self.cpu.from_ns if self.cpu and self.cpu.to_ns > self.cpu.from_ns else None


@dataclass(frozen=True, slots=True)
class Tutorial:
    """The tutorial's own server: how its sockets waited, who waited for whom, and the calls that prove what `explain` says of it."""

    waits: tuple[Waits, ...]
    held_up: tuple[Wait, ...]
    proof: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Measures:
    """All that was measured; what a trace has no run for is empty or None."""

    started_at: str
    kernel: str
    python: str
    version: str
    copies: tuple[tuple[str, tuple[Copy, ...]], ...]
    first_wait: FirstWait | None
    silence: tuple[Served, ...]
    burst: tuple[Served, ...]
    tutorial: Tutorial | None

    def copying(self, how: str) -> tuple[Copy, ...]:
        """Return what was measured of copies, blocking or nonblocking."""
        return dict(self.copies).get(how, ())


def measure(trace: Trace) -> Measures:
    """Gather the figures of a trace that `sockreel claims` recorded.

    Raises:
        TraceError: the trace is damaged, or holds none of the runs.
    """
    runs = {run.label: run for run in trace.runs() if run.label}
    wanted = {label: run for label, run in runs.items() if label.partition("-")[0] in (SILENCE, BURST, TUTORIAL, "copying")}
    if not wanted:
        raise TraceError(f"{trace.path} holds no run that claims could be judged by; `sockreel claims -o FILE` records them")
    first = next(iter(wanted.values()))
    try:
        blocking = runs.get(COPYING["blocking"])
        return Measures(
            first.started_at, first.kernel or "?", first.python or "?", first.recorder_version,
            tuple((how, _copies(trace, runs[label])) for how, label in COPYING.items() if label in runs),
            _first_wait(trace, blocking) if blocking else None,
            tuple(_served(trace, run) for label, run in runs.items() if label.startswith(f"{SILENCE}-")),
            tuple(_served(trace, run) for label, run in runs.items() if label.startswith(f"{BURST}-")),
            _tutorial(trace, runs[TUTORIAL]) if TUTORIAL in runs else None)
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error


def _copies(trace: Trace, run: Run) -> tuple[Copy, ...]:
    sizes: dict[int, list[int]] = {}
    for row in trace.named("claims_copies", run=run.id, most=_MOST):
        if row["operation"] == "recv_into":
            sizes.setdefault(row["bytes"], []).append(row["ns"])
    return tuple(Copy(size, len(times), int(median(times)), max(times)) for size, times in sorted(sizes.items()))


def _first_wait(trace: Trace, run: Run) -> FirstWait | None:
    """Return the receive that waited; None where it did not find silence."""
    rows = [row for row in trace.named("claims_copies", run=run.id, most=_MOST) if row["operation"] == "recv"]
    if not rows:
        return None
    sent = trace.named("claims_first_send", run=run.id, after=rows[0]["started_ns"])[0]["started_ns"]
    if sent is None:
        return None
    return FirstWait(rows[0]["id"], rows[0]["ns"], sent - rows[0]["started_ns"])


def _served(trace: Trace, run: Run) -> Served:
    story = load_story(trace, run)
    asked = [exchange for exchange in story.exchanges if exchange.n > 0]
    latency = latency_of(asked)
    waits = _waits(trace.named("claims_waits", run=run.id))
    figures = statistics(trace, run)
    label, model = run.label or "", run.model or ""
    fruitless = tuple(row for row in figures.tallies if row.outcome == "would_block")
    seen = any(found.role == "accepted" for found in waits) or any(count.layer == "ring" for count in story.counts)
    return Served(
        label.partition("-")[2], model, label, seen, story.facts.calls, story.facts.fruitless, latency.answers, len(asked), story.cpu,
        story.split, story.usage, latency.median_ns, latency.p99_ns, fruitless, waits)


def _waits(rows: Sequence[Any]) -> tuple[Waits, ...]:
    return tuple(Waits(row["role"], row["waits"], row["calls"], row["sockets"], row["longest_ns"]) for row in rows)


def _tutorial(trace: Trace, run: Run) -> Tutorial:
    found = [finding for finding in diagnose(trace, run).findings if finding.rule == "half-blocking"]
    return Tutorial(
        _waits(trace.named("claims_waits", run=run.id)), tuple(find_waits(load_story(trace, run))),
        found[0].calls if found else ())
