"""What a run did, in figures: the arithmetic behind `sockreel stats` and `sockreel runs`.

Owns the merging of `summaries` into rows and totals. Reads what the drain summed up while
recording, so ten million calls cost no more than ten. Knows nothing of how it is printed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .histogram import histogram_quantile
from .store import Run, Trace, TraceError


@dataclass(frozen=True)
class Tally:
    """Calls that were summed up together. Times in nanoseconds, sizes in bytes.

    Medians and p99 are within 4 %, the least and the most exact; all None where no call had ended.
    """

    operation: str
    outcome: str
    calls: int
    total_ns: int
    min_ns: int | None
    median_ns: int | None
    p99_ns: int | None
    max_ns: int | None
    bytes: int
    pid: int | None = None


@dataclass(frozen=True)
class ProcessTime:
    """CPU time of one process from its start to its last sample, in nanoseconds."""

    pid: int
    run_ns: int | None
    user_ns: int | None
    system_ns: int | None
    rss_bytes: int | None

    @property
    def cpu_ns(self) -> int | None:
        """The exact figure where the kernel gave one, else the one in steps of 10 ms."""
        if self.run_ns is not None:
            return self.run_ns
        return None if self.user_ns is None else self.user_ns + (self.system_ns or 0)


@dataclass(frozen=True)
class Unfinished:
    """A call that had not returned when its process ended."""

    id: int
    pid: int
    thread: str
    operation: str
    fd: int | None
    peer: str | None
    started_ns: int
    site: str | None


@dataclass(frozen=True)
class Statistics:
    """One run in figures.

    Attributes:
        tallies: per operation and outcome (and per process where asked), unsorted.
        total: all calls.
        fruitless: calls that came back with nothing though nothing had kept them.
        unfinished: the first of them; `unfinished_calls` counts all.
        signals: name, how Python gave it (schema.sql: signals.via), how often.
    """

    run: Run
    tallies: Sequence[Tally]
    total: Tally
    fruitless: int
    processes: Sequence[ProcessTime]
    unfinished: Sequence[Unfinished]
    unfinished_calls: int
    signals: Sequence[tuple[str, str, int]] = ()

    @property
    def fruitless_share(self) -> float | None:
        """Fruitless calls over all calls; None where there was no call."""
        return self.fruitless / self.total.calls if self.total.calls else None

    @property
    def cpu_ns(self) -> int | None:
        """CPU time of all processes; None where none was sampled."""
        known = [process.cpu_ns for process in self.processes if process.cpu_ns is not None]
        return sum(known) if known else None


@dataclass
class _Sum:
    calls: int = 0
    total_ns: int = 0
    bytes: int = 0
    least: list[int] = field(default_factory=list)
    most: list[int] = field(default_factory=list)
    histogram: Counter[int] = field(default_factory=Counter)

    def add(self, row: Any, histogram: dict[int, int]) -> None:
        self.calls += row["calls"]
        self.total_ns += row["total_ns"]
        self.bytes += row["bytes"]
        self.least += [row["min_ns"]] if row["min_ns"] is not None else []
        self.most += [row["max_ns"]] if row["max_ns"] is not None else []
        self.histogram.update(histogram)

    def tally(self, operation: str, outcome: str, pid: int | None = None) -> Tally:
        least, most = min(self.least, default=None), max(self.most, default=None)

        def quantile(share: float) -> int | None:
            value = histogram_quantile(self.histogram, share)
            # A bin's middle may lie outside of what was really seen.
            return value if value is None or least is None or most is None else min(max(value, least), most)

        return Tally(operation, outcome, self.calls, self.total_ns, least, quantile(0.5), quantile(0.99), most, self.bytes, pid)


def statistics(trace: Trace, run: Run, by_process: bool = False) -> Statistics:
    """Return a run in figures.

    Args:
        trace: where the run stands.
        by_process: keep the processes of the run apart.

    Raises:
        TraceError: the trace is damaged.
    """
    sums: dict[tuple[int | None, str, str], _Sum] = {}
    total = _Sum()
    waits = would_block = 0
    for row in trace.named("summaries_of_run", run=run.id):
        histogram = read_histogram(trace, row["histogram"])
        sums.setdefault((row["pid"] if by_process else None, row["operation"], row["outcome"]), _Sum()).add(row, histogram)
        total.add(row, histogram)
        waits += row["calls"] if row["layer"] in ("wait", "tls") else 0
        would_block += row["calls"] if row["outcome"] == "would_block" else 0
    fruitless = would_block
    if waits:
        # Only the moment of a wait knows whether its timeout was 0, and of TLS what wanted more: the drain classed it in `levels`.
        fruitless = max(would_block, trace.named("fruitless_of_run", run=run.id)[0]["calls"])
    unfinished = trace.named("unfinished_of_run", run=run.id)
    return Statistics(
        run=run,
        tallies=[summed.tally(operation, outcome, pid) for (pid, operation, outcome), summed in sums.items()],
        total=total.tally("total", ""),
        fruitless=fruitless,
        processes=[ProcessTime(**dict(row)) for row in trace.named("cpu_of_run", run=run.id)],
        signals=[(str(row["signal"]), str(row["via"]), int(row["deliveries"])) for row in trace.named("signals_counted", run=run.id)],
        unfinished=[Unfinished(**dict(row)) for row in unfinished[:20]],
        unfinished_calls=len(unfinished),
    )


def read_histogram(trace: Trace, text: str) -> dict[int, int]:
    """Return a histogram of `summaries`: bin -> calls.

    Raises:
        TraceError: it is none.
    """
    try:
        return {int(bin_): int(calls) for bin_, calls in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise TraceError(f"{trace.path} is damaged: a histogram in its table summaries cannot be read") from error


def command_words(run: Run) -> list[str]:
    """Return a run's command line; one word of it where it is not the JSON list that it should be."""
    words = read_json(run.command, list)
    return [str(word) for word in words] if words else [run.command]


def blind_spots(run: Run) -> list[str]:
    """Return what the run could not see, in sentences."""
    return [str(spot) for spot in read_json(run.blind_spots, list) or []]


def read_json(text: str, kind: type[Any]) -> Any:
    """Return a JSON column's value, or None where it is not of that kind."""
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    return value if isinstance(value, kind) else None


def sort_tallies(tallies: Iterable[Tally], key: str) -> list[Tally]:
    """Sort tallies by a column: numbers falling, words rising, what is unknown last."""
    words = key in ("operation", "outcome")
    attribute = {"time": "total_ns", "min": "min_ns", "median": "median_ns", "p99": "p99_ns", "max": "max_ns"}.get(key, key)
    by_name = sorted(tallies, key=lambda tally: (tally.operation, tally.outcome, tally.pid or 0))
    if words:
        return sorted(by_name, key=lambda tally: str(getattr(tally, attribute)))
    return sorted(by_name, key=lambda tally: -1 if getattr(tally, attribute) is None else getattr(tally, attribute), reverse=True)
