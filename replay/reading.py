"""Rows of a trace -> the values of a story, one kind of row after the other.

Owns which named query is asked for what, and the words that ids stand for. Knows nothing of lanes
or densities. Whatever a row holds that it should not becomes one `TraceError`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from ..traces import Run, Trace, TraceError, named_queries
from .values import KINDS, MARKED, Count, Cpu, Delivery, Exchange, Kind, Mark, Site, Span, Usage, Window, class_of, moved_bytes

MAX_ID = 2**63 - 1
_STEPS_NS = 20_000_000  # how much user and system time together may be more than their steps of 10 ms say
_WORTH_NS = 1_000_000  # less CPU than this that nobody looked at is not told


@dataclass(frozen=True, slots=True)
class ShortCall:
    """As much of a call as its share of time needs."""

    thread_id: int
    socket_id: int | None
    kind: Kind
    started_ns: int
    ended_ns: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Fold:
    """Calls of a spin that were counted, not kept: of one thread, on one socket, from one place.

    `exact` is false for a part of a stretch: what lies in it is known from the whole.
    """

    thread_id: int
    socket_id: int | None
    operation: str
    layer: str
    site: Site | None
    first_ns: int
    last_ns: int
    calls: int
    in_calls_ns: int
    exact: bool = True

    def within(self, window: Window) -> Fold:
        """Return the part that lies in a window which it touches, calls and time spread evenly."""
        first_ns, last_ns = max(self.first_ns, window.start_ns), min(self.last_ns, window.end_ns)
        if (first_ns, last_ns) == (self.first_ns, self.last_ns):
            return self
        length_ns = max(1, self.last_ns - self.first_ns)
        calls, ns = (count * (last_ns - first_ns) // length_ns for count in (self.calls, self.in_calls_ns))
        return replace(self, first_ns=first_ns, last_ns=last_ns, calls=max(1, calls), in_calls_ns=ns, exact=False)


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread of the run."""

    id: int
    name: str
    process_id: int
    ended_ns: int | None


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a run reaches in the trace: ids of its calls, and the last moment known of."""

    has_levels: bool
    counted: int
    first_id: int
    last_id: int
    last_ns: int


class Reader:
    """One run of a trace, read row by row.

    Args:
        trace: stays open and is the caller's to close.
        run: one of its runs.
    """

    def __init__(self, trace: Trace, run: Run) -> None:
        self.trace = trace
        self.run = run
        words = trace.named("words_of_calls")
        self._operations = {row["id"]: (str(row["name"]), str(row["layer"])) for row in words if row["kind"] == "operation"}
        self._outcomes = {row["id"]: str(row["name"]) for row in words if row["kind"] == "outcome"}
        self._addresses = {row["id"]: str(row["name"]) for row in words if row["kind"] == "address"}

    @cached_property
    def extent(self) -> Extent:
        """How far the run reaches."""
        row = self._named("extent_of_run")[0]
        if not row["has_levels"]:
            return Extent(False, row["counted"], 0, MAX_ID, row["last_ns"])
        return Extent(True, row["counted"], row["first_id"], row["last_id"], row["last_ns"])

    @cached_property
    def end_ns(self) -> int:
        """Where the run ends, or as far as the trace knows of one that has no end."""
        return max(1, self.run.duration_ns or 0, 0 if self.run.duration_ns else self.extent.last_ns)

    @cached_property
    def threads(self) -> dict[int, Thread]:
        """Threads by id."""
        rows = self._named("threads_of_run")
        several = len({row["process_id"] for row in rows}) > 1
        return {
            row["id"]: Thread(
                row["id"], (row["name"] or f"thread {row['native_id'] or row['id']}") + (f" (pid {row['pid']})" if several else ""),
                row["process_id"], row["ended_ns"])
            for row in rows}

    @cached_property
    def sockets(self) -> dict[int, Any]:
        """Rows of sockets by id, oldest first."""
        return {row["id"]: row for row in self._named("sockets_of_run")}

    @cached_property
    def counts(self) -> tuple[Count, ...]:
        """Every call of the run counted."""
        rows = self._named("counts_of_run") or self._named("counts_of_run_scanned")
        return tuple(Count(str(row["operation"]), str(row["layer"]), row["outcome"], row["calls"], row["total_ns"], row["bytes"])
                     for row in rows)

    def moved(self) -> tuple[int, int]:
        """Return how many bytes the run received and sent: what TLS carries once, in the clear, and what was only peeked at never."""
        row = self._named("moved_of_run")[0]
        return int(row["received_bytes"]), int(row["sent_bytes"])

    def kinds(self) -> dict[str, tuple[int, int]]:
        """Return calls and time (ns) of each class over the whole run."""
        sums: dict[str, list[int]] = {kind: [0, 0] for kind in KINDS}
        for (_, kind), (calls, ns) in self.kinds_of_threads.items():
            sums.setdefault(kind, [0, 0])
            sums[kind][0] += calls
            sums[kind][1] += ns
        return {kind: (calls, ns) for kind, (calls, ns) in sums.items()}

    @cached_property
    def kinds_of_threads(self) -> dict[tuple[int, str], tuple[int, int]]:
        """Calls and time (ns) of each thread and class over the whole run."""
        sums: dict[tuple[int, str], list[int]] = {}

        def add(thread_id: int, kind: str, calls: int, ns: int) -> None:
            found = sums.setdefault((thread_id, kind), [0, 0])
            found[0] += calls
            found[1] += ns

        everything = Window(0, MAX_ID)
        if self.extent.has_levels:
            for row in self._named("classes_of_run"):
                add(row["thread_id"], row["class"], row["calls"], row["ns"])
        else:
            for short in self.short_calls(everything):
                add(short.thread_id, short.kind, 1, short.ended_ns - short.started_ns)
            for fold in self.folds(everything):
                add(fold.thread_id, "fruitless", fold.calls, fold.in_calls_ns)
        for call in self.long_calls(everything):
            add(call.thread_id, call.kind, 1, call.duration_ns)
        return {key: (calls, ns) for key, (calls, ns) in sums.items()}

    def delays(self) -> dict[int, tuple[int, int]]:
        """Return how long each thread that was looked at ran, and was ready without a processor: thread -> (ns, ns)."""
        return {row["thread_id"]: (row["run_ns"], row["delay_ns"]) for row in self._named("threads_sampled")
                if row["run_ns"] is not None and row["delay_ns"] is not None}

    @cached_property
    def sites(self) -> dict[int, Site]:
        """Places in the program by id."""
        return {row["id"]: Site(row["file"] or "?", row["line"] or 0, row["function"] or "?", row["code"])
                for row in self.trace.named("words_of_sites")}

    def calls_up_to(self, window: Window, most: int) -> int:
        """Return how many calls touch a window, counting no further than `most`."""
        return int(self._named("calls_counted", start=window.start_ns, end=window.end_ns, most=most)[0]["calls"])

    def level_rows(self, buckets: tuple[int, int], level: int) -> int:
        """Return how many rows `levels` holds of some buckets (the first, the last) of a level."""
        return int(self._named("levels_counted", level=level, first=buckets[0], last=buckets[1])[0]["held"])

    def calls(self, window: Window, first: int = 0, last: int = MAX_ID, threads: Sequence[int] | None = None) -> Iterator[Span]:
        """Yield every call that touches a window, of some threads or of all (None), in the order of their start."""
        return map(self._span, self._stream("calls_of_run", window, first=first, last=last, every=threads is None,
                                            threads=json.dumps(list(threads or ()))))

    def listed(
        self, window: Window, outcomes: Iterable[str] | None, operations: Sequence[str] | None, sockets: Sequence[int] | None,
        threads: Sequence[int] | None,
    ) -> Iterator[Span]:
        """Yield the calls that touch a window and are of some outcomes, operations, sockets and threads (None: any), as recorded."""
        some = {"outcomes": outcomes, "operations": operations, "sockets": sockets, "threads": threads}
        chosen = {name: None if values is None else json.dumps(sorted(values)) for name, values in some.items()}
        return map(self._span, self._stream("calls_listed", window, first=self.extent.first_id, last=self.extent.last_id, **chosen))

    def long_calls(self, window: Window) -> Iterator[Span]:
        """Yield the calls of 8 ms and more, and the unfinished ones, that touch a window."""
        return map(self._span, self._stream("long_calls_of_run", window))

    def short_calls(
        self, window: Window, first: int = 0, last: int = MAX_ID, threads: Sequence[int] | None = None, sockets: Sequence[int] = (),
        fruitless: bool | None = None,
    ) -> Iterator[ShortCall]:
        """Yield the calls shorter than 8 ms that touch a window, of some threads or sockets, or of all (None).

        Args:
            fruitless: only these, or only the others.
        """
        # Fruitless calls are the many, and there is an index of the others.
        query = "short_calls_not_fruitless" if fruitless is False else "short_calls_of_run"
        rows = self._stream(
            query, window, first=first, last=last, every=threads is None, threads=json.dumps(list(threads or ())),
            sockets=json.dumps(list(sockets)), fruitless=fruitless)
        for row in rows:
            operation, layer = self._operations.get(row["operation_id"], ("?", "other"))
            outcome = self._outcomes.get(row["outcome_id"], "error")
            kind = class_of(operation, layer, outcome, row["duration_ns"], row["result"], row["timeout_ns"])
            yield ShortCall(row["thread_id"], row["socket_id"], kind, row["started_ns"], row["started_ns"] + row["duration_ns"],
                            moved_bytes(operation, outcome, row["result"]))

    def folds(self, window: Window) -> Iterator[Fold]:
        """Yield the stretches of spins that were counted only."""
        return (fold for fold, _, _ in self.folds_with_ids(window))

    def folds_with_ids(self, window: Window) -> Iterator[tuple[Fold, int, int | None]]:
        """Yield the same, each with the ids of its operation and its site."""
        for row in self._stream("folds_of_run", window):
            operation, layer = self._operations.get(row["operation_id"], ("?", "other"))
            site = self.sites.get(row["site_id"])
            fold = Fold(row["thread_id"], row["socket_id"], operation, layer, site, row["first_ns"], row["last_ns"], row["calls"],
                        row["in_calls_ns"])
            yield fold, row["operation_id"], row["site_id"]

    def steps(self, window: Window) -> Iterator[Any]:
        """Yield every call of a window as the rows of steps_of_run: in the order of the tape, no more of it than stepping needs."""
        return self._stream("steps_of_run", window)

    def chosen(self, calls: Iterable[int]) -> dict[int, Span]:
        """Return calls by their ids."""
        return {row["id"]: self._span(row) for row in self._named("calls_chosen", calls=json.dumps(list(calls)))}

    def operation(self, id_: int) -> str:
        """Return the name of an operation."""
        return self._operations.get(id_, ("?", "other"))[0]

    def operations_named(self, name: str) -> set[int]:
        """Return the ids of an operation: none, or one."""
        return {id_ for id_, (operation, _) in self._operations.items() if operation == name}

    def outcomes_named(self, name: str) -> set[int]:
        """Return the ids of an outcome: none, or one."""
        return {id_ for id_, outcome in self._outcomes.items() if outcome == name}

    def sources(self, file: str) -> list[str]:
        """Return the texts that the trace holds of a file of the program, the newest first."""
        return [str(row["text"]) for row in self.trace.named("sources_of_file", file=file)]

    def marks(self, window: Window, step_ns: int) -> tuple[Mark, ...]:
        """Return the calls whose outcome is worth a mark, counted per `step_ns`."""
        if not any(count.outcome in MARKED for count in self.counts):
            return ()
        rows = self._stream("marks_of_run", window, first=self.extent.first_id, last=self.extent.last_id, step=max(1, step_ns),
                            outcomes=json.dumps(sorted(MARKED)))
        return tuple(Mark(row["at_ns"], row["thread_id"], row["socket_id"], row["outcome"], row["calls"]) for row in rows)

    def calls_by_id(self, ids: Iterable[int]) -> dict[int, Span]:
        """Return single calls of the run by their ids; those that it has not are left out."""
        return {row["id"]: self._span(row) for row in self._named("figure_calls", calls=json.dumps(list(ids)))}

    def deliveries(self, window: Window, most: int) -> tuple[Delivery, ...]:
        """Return the first signals that came in a window."""
        rows = self._named("signals_of_run", start=window.start_ns, end=window.end_ns, most=most)
        return tuple(Delivery(**dict(row)) for row in rows)

    @cached_property
    def internal(self) -> frozenset[int]:
        """Sockets that event loops made for themselves."""
        return frozenset(id_ for id_, row in self.sockets.items() if row["internal"])

    def payloads(self, calls: Iterable[int]) -> dict[int, tuple[int, bytes]]:
        """Return the first bytes that calls moved: call id -> (size, data)."""
        rows = self.trace.named("payloads_of_calls", calls=json.dumps(list(calls)))
        return {row["call_id"]: (row["size"], row["data"] or b"") for row in rows}

    def exchanges(self, requests: bool) -> tuple[tuple[Exchange, ...], Literal["client", "server", "nobody"]]:
        """Return questions and answers, and who saw them.

        Args:
            requests: without a workload, take the server's own calls (reads all calls).
        """
        rows = self._named("exchanges_of_run")
        if rows:
            ports = {str(row["peer"] or "").rpartition(":")[2]: id_ for id_, row in self.sockets.items() if row["role"] == "accepted"}
            return tuple(
                Exchange(row["client"] or "?", row["n"] or 0, row["socket_id"] or ports.get(str(row["local_port"])), row["connected_ns"],
                         row["sent_ns"], row["answered_ns"], row["sent_bytes"] or 0, row["answered_bytes"] or 0, row["result"] or "none",
                         row["thread_id"], row["taken_ns"])
                for row in rows), "client"
        if not requests:
            return (), "nobody"
        numbers = {id_: n for n, id_ in enumerate((id_ for id_, row in self.sockets.items() if row["role"] == "accepted"), 1)}
        seen = []
        for row in self._named("requests_of_run"):
            if row["socket_id"] in numbers and row["received_bytes"] and row["duration_ns"] is not None:
                taken_ns = row["started_ns"] + row["duration_ns"]
                # Where the kernel said when the request lay ready, the client's wait begins there.
                asked_ns = taken_ns if row["ready_ns"] is None else min(row["ready_ns"], taken_ns)
                seen.append(Exchange(
                    f"connection {numbers[row['socket_id']]}", row["n"], row["socket_id"], self.sockets[row["socket_id"]]["opened_ns"],
                    asked_ns, row["answered_ns"], row["received_bytes"], row["sent_bytes"], "ok" if row["sent_bytes"] else "none",
                    row["thread_id"], taken_ns))
        return tuple(seen), "server" if seen else "nobody"

    @cached_property
    def _first_listen_ns(self) -> int | None:
        listens = any(count.operation == "listen" and count.outcome == "ok" for count in self.counts)
        found = self._named("first_listen_of_run", first=self.extent.first_id, last=self.extent.last_id) if listens else []
        return found[0]["started_ns"] if found else None

    @cached_property
    def _samples(self) -> dict[int, list[Any]]:
        """Rows of samples by process."""
        processes: dict[int, list[Any]] = {}
        for row in self._named("samples_of_run"):
            processes.setdefault(row["process_id"], []).append(row)
        return processes

    def cpu(self) -> Cpu | None:
        """Return the CPU time of the program from its first listen on; None where nothing was sampled.

        Where the first look came too late to tell what was used since then, it is counted from the start.
        """
        from_ns = self._first_listen_ns
        found = self._cpu_from(from_ns)
        if found and found.ns < on_cpu(self.kinds_of_threads, self.delays(), ("fruitless", "moved", "other")):
            return self._cpu_from(None, whole=True)
        return found

    def _cpu_from(self, from_ns: int | None, whole: bool = False) -> Cpu | None:
        """Return CPU time from a moment on; None: from the first look, or from each process's start on."""
        total_ns, last_ns, first_ns, exact, seen = 0, 0, MAX_ID, True, False
        for points, started_ns, exact_here in self.cpu_points():
            base = 0 if whole else points[0][1] if from_ns is None else _cpu_at(points, from_ns, started_ns)
            total_ns += max(0, points[-1][1] - base)
            first_ns, last_ns = min(first_ns, points[0][0]), max(last_ns, points[-1][0])
            exact, seen = exact and exact_here, True
        unseen_ns = self._unsampled_ns()
        start_ns = 0 if whole else first_ns if from_ns is None else from_ns
        return Cpu(total_ns + unseen_ns, start_ns, last_ns, from_ns is not None, exact, unseen_ns) if seen else None

    def _unsampled_ns(self) -> int:
        """Return the CPU of descendants that nobody looked at, or not to their end: what the program waited for, less what was sampled.

        A process that nobody waited for is in the samples only, and hides as much of the others: the figure is then too low.
        """
        processes = list(self._samples.values())
        waited_for = [self._waited_for_ns(rows) for rows in processes]
        if not waited_for:
            return 0
        root = max(range(len(waited_for)), key=waited_for.__getitem__)
        own_ns = sum(max((row["run_ns"] or 0 for row in rows), default=0) for rows in processes[:root] + processes[root + 1 :])
        unseen_ns = waited_for[root] - own_ns
        return unseen_ns if unseen_ns >= _WORTH_NS else 0

    def _waited_for_ns(self, rows: Sequence[Any]) -> int:
        """Return the CPU of the children that a process waited for since it was first looked at.

        What was there before are those of a script that became the program (pyenv's shims are such); it is known in steps only.
        """
        known = [row["children_ns"] for row in rows if row["children_ns"] is not None]
        before_ns = known[0] + _STEPS_NS if len(known) > 1 and known[0] else 0
        return max(0, max(known) - before_ns) if known else 0

    def cpu_points(self) -> Iterator[tuple[list[tuple[int, int]], int | None, bool]]:
        """Yield of each process its CPU time at some moments, when it started, and whether that is exact (all in ns)."""
        for rows in self._samples.values():
            points = [(row["at_ns"], row["run_ns"]) for row in rows if row["run_ns"] is not None]
            exact = bool(points)
            if not exact:
                points = [(row["at_ns"], (row["user_ns"] or 0) + (row["system_ns"] or 0)) for row in rows if row["user_ns"] is not None]
            if points:
                yield points, rows[0]["started_ns"], exact

    def usage(self) -> Usage | None:
        """Return context switches and memory of all processes together; None where nothing was sampled."""
        if not self._samples:
            return None
        peaks = [max((row["rss_bytes"] or 0 for row in rows), default=0) for rows in self._samples.values()]
        return Usage(self._switches("voluntary_switches"), self._switches("involuntary_switches"), sum(peaks) or None)

    def _switches(self, column: str) -> int | None:
        """Return how far a count went from the first listen on; a look that saw fewer threads counts for nothing."""
        from_ns, total, seen = self._first_listen_ns, 0, False
        for rows in self._samples.values():
            points = [(row["at_ns"], row[column]) for row in rows if row[column] is not None]
            if points:
                base = points[0][1] if from_ns is None else _cpu_at(points, from_ns, rows[0]["started_ns"])
                total += max(0, max(count for _, count in points) - base)
                seen = True
        return total if seen else None

    def _span(self, row: Any) -> Span:
        operation, layer = self._operations.get(row["operation_id"], ("?", "other"))
        outcome = None if row["duration_ns"] is None else self._outcomes.get(row["outcome_id"], "error")
        started_ns, duration_ns = row["started_ns"], row["duration_ns"]
        kind = class_of(operation, layer, outcome, duration_ns, row["result"], row["timeout_ns"])
        if duration_ns is None:
            thread = self.threads.get(row["thread_id"])
            ended_ns = max(started_ns, (thread.ended_ns if thread and thread.ended_ns else None) or self.end_ns)
        else:
            ended_ns = started_ns + max(0, duration_ns)
        return Span(
            row["id"], row["thread_id"], row["socket_id"], operation, layer, outcome, kind, started_ns, ended_ns, row["asked"],
            row["result"], row["errno"], row["timeout_ns"], self.sites.get(row["site_id"]), self._addresses.get(row["peer_id"]),
            row["parent_id"], row["ready_ns"], row["flags"])

    def _named(self, name: str, **parameters: Any) -> list[Any]:
        return self.trace.named(name, run=self.run.id, **parameters)

    def _stream(self, name: str, window: Window, **parameters: Any) -> Iterator[Any]:
        return self.trace.iterate(
            named_queries()[name], {"run": self.run.id, "start": window.start_ns, "end": window.end_ns, **parameters})


def on_cpu(kinds: Mapping[tuple[int, str], tuple[int, int]], looks: Mapping[int, tuple[int, int]], names: Sequence[str]) -> int:
    """Return the CPU time (ns) in calls of some classes that never sleep: their duration, less their threads' time without a processor.

    Args:
        kinds: thread and class -> calls, and their duration.
        looks: thread -> how long it ran, and was ready without a processor; of others the duration counts whole.
    """
    total = 0.0
    for (thread_id, kind), (_, ns) in kinds.items():
        if kind in names:
            run_ns, delay_ns = looks.get(thread_id, (0, 0))
            total += ns * run_ns / (run_ns + delay_ns) if run_ns else ns
    return round(total)


def _cpu_at(points: Sequence[tuple[int, int]], at_ns: int, started_ns: int | None) -> int:
    """Return the CPU time of a process at a moment, between two samples in proportion."""
    before = [point for point in points if point[0] <= at_ns]
    after = [point for point in points if point[0] > at_ns]
    if not before:
        # A child that started later counts whole; of a process seen late, nothing before is known.
        return 0 if started_ns is not None and started_ns >= at_ns else points[0][1]
    if not after:
        return before[-1][1]
    (low_ns, low), (high_ns, high) = before[-1], after[0]
    return low + (high - low) * (at_ns - low_ns) // (high_ns - low_ns)


def damaged(trace: Trace, error: Exception) -> TraceError:
    """Return the one line for rows that cannot be what they are."""
    return TraceError(f"{trace.path} is damaged: a row holds what it cannot hold ({error}); `sockreel check` says how far it is whole")
