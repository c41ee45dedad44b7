"""How a server's cost grows with its clients: what a sweep measured, as frozen values.

Owns the metrics, medians, quartiles and slopes, and why a server could not go on. Reads what the runs
of a sweep hold through named queries; draws nothing.
"""

from __future__ import annotations

import json
import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..traces import Run, Trace
from .words import visible

_IDLE, _ACTIVE = "idle", "active"
_ENOUGH = 0.9
"""A point counts where so large a share of the clients were connected when the talk began."""
_UNFINISHED = ("interrupt", "terminated", "recorder_lost", None)
"""Runs that ended so say nothing of their server."""


@dataclass(frozen=True)
class Measure:
    """One run of a sweep. Times in nanoseconds; None: not measured.

    connected: connections the server had open when the talk began. answered: clients, of `active`, that
    were answered. talk_ns: from the first question after each client's first to the last answer.
    cpu_ns, calls: of the server in that time. ended: why it could not go on, or None.
    """

    server: str
    clients: int
    active: int
    repeat: int
    connected: int
    answered: int
    exchanges: int = 0
    talk_ns: int = 0
    cpu_ns: float | None = None
    calls: int = 0
    latency_ns: float | None = None
    latency_p99_ns: float | None = None
    ended: str | None = None

    @property
    def cpu_per_exchange_ns(self) -> float | None:
        """CPU time of the server, divided by the answers it gave."""
        return self.cpu_ns / self.exchanges if self.cpu_ns is not None and self.exchanges else None

    @property
    def calls_per_exchange(self) -> float | None:
        """Calls of the server for each answer."""
        return self.calls / self.exchanges if self.exchanges else None

    @property
    def exchanges_per_s(self) -> float | None:
        """Answers in a second."""
        return self.exchanges / self.talk_ns * 1e9 if self.exchanges and self.talk_ns else None


@dataclass(frozen=True)
class Metric:
    """One thing that grows: its key in JSON, its name, its unit (ns, calls or answers), and how to take it from a run."""

    key: str
    name: str
    unit: str
    of: Callable[[Measure], float | None]


METRICS = (
    Metric("cpu_per_exchange_ns", "CPU per exchange", "ns", lambda one: one.cpu_per_exchange_ns),
    Metric("calls_per_exchange", "calls per exchange", "calls", lambda one: one.calls_per_exchange),
    Metric("latency_ns", "latency (median)", "ns", lambda one: one.latency_ns),
    Metric("exchanges_per_s", "answers per second", "answers", lambda one: one.exchanges_per_s),
)


@dataclass(frozen=True)
class Spot:
    """A metric at a number of clients: median and quartiles over the repeats."""

    clients: int
    low: float
    median: float
    high: float
    repeats: int


@dataclass(frozen=True)
class Slope:
    """A straight line through log(clients), log(value): value grows as clients ** exponent. Its standard error; None with two points."""

    exponent: float
    error: float | None
    first: int
    last: int


@dataclass(frozen=True)
class Curve:
    """One server: its runs, and the first that it could not go on with."""

    server: str
    measures: tuple[Measure, ...]

    @property
    def end(self) -> Measure | None:
        """Where it ended, if it did."""
        return min((one for one in self.measures if one.ended), key=lambda one: (one.clients, one.repeat), default=None)

    def spots(self, metric: Metric) -> tuple[Spot, ...]:
        """Return a metric at every number of clients that the server could serve."""
        found: dict[int, list[float]] = {}
        for one in self.measures:
            value = metric.of(one)
            if one.ended is None and value is not None and value > 0:
                found.setdefault(one.clients, []).append(value)
        return tuple(_spot(clients, sorted(values)) for clients, values in sorted(found.items()))

    def slope(self, metric: Metric, from_clients: int = 1) -> Slope | None:
        """Return how a metric grows from a number of clients on; None with fewer than two points."""
        values = [(one.clients, value) for one in self.measures if one.ended is None and one.clients >= from_clients
                  for value in [metric.of(one)] if value is not None and value > 0]
        return fit(values)


def _spot(clients: int, values: Sequence[float]) -> Spot:
    if len(values) == 1:
        return Spot(clients, values[0], values[0], values[0], 1)
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spot(clients, low, median, high, len(values))


def fit(values: Sequence[tuple[int, float]]) -> Slope | None:
    """Return the least-squares line through the logarithms of (clients, value); None where all clients are the same."""
    xs, ys = [math.log(clients) for clients, _ in values], [math.log(value) for _, value in values]
    if len(set(xs)) < 2:
        return None
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    exponent = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    rest = sum((y - mean_y - exponent * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    error = math.sqrt(rest / (len(xs) - 2) / spread) if len(xs) > 2 else None
    return Slope(exponent, error, min(clients for clients, _ in values), max(clients for clients, _ in values))


def curves_of(measures: Sequence[Measure]) -> tuple[Curve, ...]:
    """Return a curve for each server, in the order in which they first come."""
    names = dict.fromkeys(one.server for one in measures)
    return tuple(Curve(name, tuple(one for one in measures if one.server == name)) for name in names)


def tail_from(curve: Curve) -> int:
    """Return the number of clients from which on the last decade of a curve is."""
    return max((one.clients for one in curve.measures if one.ended is None), default=1) // 10 or 1


def measures_of(trace: Trace) -> list[Measure]:
    """Return all runs of a trace that are points of a sweep, as measured.

    Raises:
        TraceError: the trace is damaged.
    """
    return [found for run in trace.runs() for found in [measure(trace, run)] if found is not None]


def measure(trace: Trace, run: Run) -> Measure | None:
    """Return what one run of a sweep measured; None where it is none, or was interrupted.

    Raises:
        TraceError: the trace is damaged.
    """
    told = _told(run)
    if told is None or run.ended_by in _UNFINISHED:
        return None
    point, last_words = told
    rows = trace.named("exchanges_of_run", run=run.id)
    talkers: dict[str, list[Any]] = {}
    for row in rows:
        if row["client"].rpartition("-")[0] == _ACTIVE and row["n"] > 0:
            talkers.setdefault(row["client"], []).append(row)
    good = [row for of in talkers.values() for row in of if row["n"] > 1 and row["result"] == "ok" and row["answered_ns"]]
    answered = sum(any(row["result"] == "ok" for row in of) for of in talkers.values())
    # Where nobody was answered, what had been taken up when the last client came.
    came_ns = max((row[name] for row in rows for name in ("sent_ns", "connected_ns") if row[name] is not None), default=0)
    begun_ns = min((row["sent_ns"] for row in good), default=came_ns)
    over_ns = max((row["answered_ns"] for row in good), default=begun_ns)
    connected = trace.named("accepted_before", run=run.id, at=begun_ns)[0]["connections" if good else "accepted"]
    ended = None
    if run.exit_status == 1 or answered < point["active"] or not good or connected < _ENOUGH * point["clients"]:
        ended = _why(trace, run, point, rows, connected, last_words)
    if not good:
        return Measure(**point, connected=connected, answered=answered, ended=ended)
    latencies = sorted(row["answered_ns"] - row["sent_ns"] for row in good)
    calls = trace.named("calls_between", run=run.id, start=begun_ns, end=over_ns)[0]["calls"]
    return Measure(
        **point, connected=connected, answered=answered, exchanges=len(good), talk_ns=over_ns - begun_ns,
        cpu_ns=_cpu_between(trace, run, begun_ns, over_ns), calls=calls, latency_ns=statistics.median(latencies),
        latency_p99_ns=latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)], ended=ended)


def _told(run: Run) -> tuple[dict[str, Any], str] | None:
    """Return which point a run is, and the last line it wrote to stderr."""
    try:
        settings = json.loads(run.settings)
        point = settings["sweep"]
        values: dict[str, Any] = {"server": str(point["server"])} | {name: int(point[name]) for name in ("clients", "active", "repeat")}
        return values, str(settings.get("last_words", ""))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _why(trace: Trace, run: Run, point: dict[str, Any], rows: Sequence[Any], connected: int, last_words: str) -> str:
    """Say in words why a server could not go on."""
    if run.exit_status == 1 and last_words:
        return f"it died: {visible(last_words)}"
    sent_away = sum(row["result"] in ("none", "reset", "refused") and row["client"].startswith(_IDLE) for row in rows)
    longest = trace.named("longest_of_run", run=run.id)
    if longest and longest[0]["role"] == "accepted" and connected < point["clients"]:
        whose = "a client that says nothing" if (longest[0]["client"] or "").startswith(_IDLE) else "another client"
        return f"it waits in {visible(longest[0]['operation'])} for {whose}"
    if sent_away:
        return f"{sent_away:,} clients were turned away or lost"
    if connected < point["clients"]:
        return "the others were not accepted in time"
    return "it did not answer in time"


def _cpu_between(trace: Trace, run: Run, start_ns: int, end_ns: int) -> float | None:
    """Return the CPU time of all processes in a stretch, straight lines drawn between samples; None where nothing was sampled."""
    samples: dict[int, list[tuple[int, int]]] = {}
    for row in trace.named("samples_of_run", run=run.id):
        if row["run_ns"] is not None:
            samples.setdefault(row["process_id"], []).append((row["at_ns"], row["run_ns"]))
    usable = [points for points in samples.values() if len(points) > 1]
    return sum(_at(points, end_ns) - _at(points, start_ns) for points in usable) if usable else None


def _at(points: Sequence[tuple[int, int]], at_ns: int) -> float:
    place = bisect_left(points, (at_ns, 0))
    if place == 0:
        return points[0][1]
    if place == len(points):
        return points[-1][1]
    (before_ns, before), (after_ns, after) = next(pairwise(points[place - 1 : place + 1]))
    return before + (after - before) * (at_ns - before_ns) / max(1, after_ns - before_ns)


def growth_json(curves: Sequence[Curve]) -> dict[str, Any]:
    """Return all that was measured, for `--json`."""
    return {"servers": [_curve_json(curve) for curve in curves]}


def _curve_json(curve: Curve) -> dict[str, Any]:
    def told(slope: Slope | None) -> dict[str, Any] | None:
        return None if slope is None else {"exponent": slope.exponent, "error": slope.error, "from": slope.first, "to": slope.last}

    tail = tail_from(curve)
    end = curve.end
    return {
        "server": curve.server,
        "ended": None if end is None else {"clients": end.clients, "connected": end.connected, "answered": end.answered, "why": end.ended},
        "metrics": {
            metric.key: {
                "points": [{"clients": spot.clients, "median": spot.median, "quartiles": [spot.low, spot.high], "repeats": spot.repeats}
                           for spot in curve.spots(metric)],
                "slope": told(curve.slope(metric)), "slope_at_the_end": told(curve.slope(metric, tail)),
            } for metric in METRICS
        },
        "runs": [{name: getattr(one, name) for name in Measure.__dataclass_fields__} for one in curve.measures],
    }
