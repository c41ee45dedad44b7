"""A run as tracks and slices: what timeline viewers of other programs have in common.

Owns which tracks there are (a process' threads, its connections below it, the workload's clients), which slices lie on them
(calls with their two phases, folded stretches, signals, exchanges), what leads from one to another, and the counters. Knows no
file format. Slices of one track nest: what would overlap another goes to a further track beside it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ...traces import named_queries
from ...traces.excerpt import Excerpt
from ..reading import Reader
from ..values import Window, class_of
from ..words import visible, visible_bytes

CLIENTS_PID = 2_000_000_000
"""A process of their own for the workload's clients: above any pid of Linux (4,194,304)."""
KEPT = 16
"""Of fruitless calls in a row so many at either end are slices; those between share one, as `--fold` does in a trace."""
_EXCHANGE_FLOWS = 1 << 40
_RUN_FLOWS = 1 << 48


@dataclass(frozen=True, slots=True)
class Track:
    """One track.

    Args:
        id: unique in the file.
        kind: a process, a thread of one, a connection or client below one, or a counter.
        name: visible text.
        pid, tid: as viewers want them; tid is unique within the process.
        parent: id of the process' track; None for processes.
        unit: of a counter.
    """

    id: int
    kind: Literal["process", "thread", "child", "counter"]
    name: str
    pid: int
    tid: int
    parent: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: its phases lie within it; `out` and `into` are flows that leave it and end in it."""

    track: Track
    name: str
    category: str
    start_ns: int
    end_ns: int
    told: Mapping[str, int | str] = field(default_factory=dict)
    phases: Sequence[tuple[str, int, int]] = ()
    out: tuple[int, ...] = ()
    into: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """A counter's value from a moment on."""

    track: Track
    at_ns: int
    value: int


class Tracks:
    """The tracks of some runs, given out as they are met.

    Args:
        excerpts: the runs.
    """

    def __init__(self, excerpts: Sequence[Excerpt]) -> None:
        self._excerpts = excerpts
        self._next = 1
        self._pids: set[int] = set()

    def items(self) -> Iterator[Track | Slice | Count]:
        """Yield tracks, each before what lies on it, slices and counts.

        Raises:
            TraceError: the trace is damaged.
        """
        for number, excerpt in enumerate(self._excerpts):
            title = f"{visible(excerpt.run.name)}: " if len(self._excerpts) > 1 else ""
            yield from _Run(self, excerpt, number, title).items()

    def make(self, kind: Literal["process", "thread", "child", "counter"], name: str, pid: int, tid: int = 0, parent: int | None = None,
             unit: str = "") -> Track:
        """Return a new track."""
        track = Track(self._next, kind, name, pid, tid, parent, unit)
        self._next += 1
        return track

    def own_pid(self, pid: int) -> int:
        """Return a process' number, another where an earlier run had the same."""
        while pid in self._pids:
            pid += 10_000_000
        self._pids.add(pid)
        return pid


class _Nest:
    """What is open on a track, so that slices nest: lane 0 where they do, a further lane where one would overlap."""

    def __init__(self) -> None:
        self._lanes: list[list[int]] = []

    def lane(self, start_ns: int, end_ns: int) -> int:
        for number, open_ends in enumerate(self._lanes):
            while open_ends and open_ends[-1] <= start_ns:
                open_ends.pop()
            if not open_ends or end_ns <= open_ends[-1]:
                open_ends.append(end_ns)
                return number
        self._lanes.append([end_ns])
        return len(self._lanes) - 1


@dataclass(frozen=True, slots=True)
class _Call:
    row: Mapping[str, Any]
    out: tuple[int, ...]
    into: tuple[int, ...]

    def end_ns(self, run_end_ns: int) -> int:
        started_ns: int = self.row["started_ns"]
        return run_end_ns if self.row["duration_ns"] is None else started_ns + max(0, self.row["duration_ns"])


class _Spin:
    """Fruitless calls in a row of one thread: the first and last few are kept, those between are counted."""

    def __init__(self) -> None:
        self._seen = 0
        self._last: deque[_Call] = deque()
        self.left_out = self.thread_id = self.first_ns = self.last_ns = 0

    def take(self, found: _Call) -> _Call | None:
        """Take a call in; returns it if it is one of the first."""
        self._seen += 1
        if self._seen <= KEPT:
            return found
        self._last.append(found)
        if len(self._last) > KEPT:
            gone = self._last.popleft()
            if not self.left_out:
                self.thread_id, self.first_ns = gone.row["thread_id"], gone.row["started_ns"]
            self.left_out += 1
            self.last_ns = gone.end_ns(gone.row["started_ns"])
        return None

    def end(self) -> list[_Call]:
        """End the spin, and return its last calls."""
        last = list(self._last)
        self.__init__()  # type: ignore[misc]
        return last


def _is_fruitless(call: Mapping[str, Any]) -> bool:
    kind = class_of(call["operation"], call["layer"], call["outcome"], call["duration_ns"], call["result"], call["timeout_ns"])
    return kind == "fruitless"


class _Run:
    def __init__(self, tracks: Tracks, excerpt: Excerpt, number: int, title: str) -> None:
        self.tracks, self.excerpt, self.title = tracks, excerpt, title
        self.flows = number * _RUN_FLOWS
        self.reader = Reader(excerpt.trace, excerpt.run)
        self.processes: dict[int, Track] = {}
        self.lanes: dict[tuple[str, int, int], Track] = {}
        self.nests: dict[tuple[str, int], _Nest] = {}
        self.next_tid = 3_000_000_000

    def items(self) -> Iterator[Track | Slice | Count]:
        for row in self._rows("processes_exported"):
            command = visible(" ".join(map(str, _list_of(row["command"]))) or "program")
            track = self.tracks.make("process", f"{self.title}{command}"[:200], self.tracks.own_pid(row["pid"]))
            self.processes[row["id"]] = track
            yield track
        asked = list(self._exchanges())
        yield from asked
        taken_up = {int(at.told["first call"]): at.out[0] for at in asked if isinstance(at, Slice) and "first call" in at.told}
        for items in self._calls(taken_up):
            yield from items
        yield from self._folds()
        yield from self._signals()
        yield from self._counters()

    def _rows(self, name: str, **parameters: Any) -> Iterator[Any]:
        return self.excerpt.trace.iterate(named_queries()[name], {"run": self.excerpt.run.id, **parameters})

    def _within(self, start_ns: int, end_ns: int) -> bool:
        return start_ns < self.excerpt.end_ns and end_ns >= self.excerpt.start_ns

    def _lane(self, kind: str, key: int, start_ns: int, end_ns: int) -> Iterator[Track]:
        """Yield the track that a slice goes to; twice where it is new (the first time to be announced)."""
        lane = self.nests.setdefault((kind, key), _Nest()).lane(start_ns, end_ns)
        found = self.lanes.get((kind, key, lane))
        if found is None:
            found = self.lanes[kind, key, lane] = self._new_lane(kind, key, lane)
            yield found
        yield found

    def _new_lane(self, kind: str, key: int, lane: int) -> Track:
        more = f" ({lane + 1})" if lane else ""
        self.next_tid += 1
        if kind == "thread":
            thread = self.reader.threads.get(key)
            process = self.processes[thread.process_id] if thread else next(iter(self.processes.values()))
            if lane:
                return self.tracks.make("child", f"{visible(thread.name) if thread else key}{more}", process.pid, self.next_tid, process.id)
            native = self._native_ids.get(key) or self.next_tid
            return self.tracks.make("thread", visible(thread.name) if thread else f"thread {key}", process.pid, native, process.id)
        row = self.reader.sockets[key]
        process = self.processes[row["process_id"]]
        name = f"fd {row['fd']} {visible(row['peer'] or row['local'] or row['role'] or row['kind'] or '')}{more}"
        return self.tracks.make("child", name, process.pid, self.next_tid, process.id)

    @property
    def _native_ids(self) -> dict[int, int]:
        if not hasattr(self, "_natives"):
            rows = self._rows("threads_of_run")
            self._natives = {row["id"]: row["native_id"] for row in rows if row["native_id"]}
        return self._natives

    def _calls(self, asked: Mapping[int, int]) -> Iterator[list[Track | Slice]]:
        extent = self.reader.extent
        out = _Links(self._rows("links_by_origin", first=extent.first_id, last=extent.last_id), "from_call_id", self.flows)
        into = _Links(self._rows("links_by_end", first=extent.first_id, last=extent.last_id), "to_call_id", self.flows)
        spins: dict[int, _Spin] = {}
        for call in self.excerpt.calls():
            ends = into.of(call["id"])
            if call["id"] in asked:
                ends = (*ends, asked[call["id"]])
            found = _Call(call, out.of(call["id"]), ends)
            spin = spins.setdefault(call["thread_id"], _Spin())
            if _is_fruitless(call) and not found.out and not found.into:
                kept = spin.take(found)
                if kept is not None:
                    yield self._slices(kept)
                continue
            yield from self._spun(spin)
            yield self._slices(found)
        for spin in spins.values():
            yield from self._spun(spin)

    def _spun(self, spin: _Spin) -> Iterator[list[Track | Slice]]:
        """Yield what a spin has kept for its end."""
        if spin.left_out:
            *new, track = self._lane("thread", spin.thread_id, spin.first_ns, spin.last_ns)
            name, told = f"{spin.left_out:,} fruitless calls", {"calls": spin.left_out}
            yield [*new, Slice(track, name, "folded", spin.first_ns, spin.last_ns, told)]
        for found in spin.end():
            yield self._slices(found)

    def _slices(self, found: _Call) -> list[Track | Slice]:
        call = found.row
        start_ns, end_ns = call["started_ns"], found.end_ns(self.reader.end_ns)
        told, phases = _told(call), _phases(call, start_ns, end_ns)
        *new, track = self._lane("thread", call["thread_id"], start_ns, end_ns)
        items: list[Track | Slice] = [*new]
        items += [Slice(track, call["operation"], call["layer"], start_ns, end_ns, told, phases, found.out, found.into)]
        if call["socket_id"] in self.reader.sockets:
            *new, track = self._lane("socket", call["socket_id"], start_ns, end_ns)
            items += [*new, Slice(track, call["operation"], call["layer"], start_ns, end_ns, told, phases)]
        return items

    def _folds(self) -> Iterator[Track | Slice]:
        window = Window(self.excerpt.start_ns, min(self.excerpt.end_ns, self.reader.end_ns + 1))
        merged: dict[tuple[int, int, int], list[Any]] = {}
        for fold in self.reader.folds(window):
            merged.setdefault((fold.thread_id, fold.first_ns, fold.last_ns), []).append(fold)
        for (thread_id, first_ns, last_ns), parts in merged.items():
            *new, track = self._lane("thread", thread_id, first_ns, last_ns)
            calls = sum(part.calls for part in parts)
            names = ", ".join(sorted({part.operation for part in parts}))
            yield from new
            yield Slice(track, f"{calls:,} fruitless calls", "folded", first_ns, last_ns, {"operations": names, "calls": calls})

    def _signals(self) -> Iterator[Track | Slice]:
        for row in self._rows("signals_exported"):
            start_ns = row["started_ns"]
            end_ns = start_ns if row["ended_ns"] is None else max(start_ns, row["ended_ns"])
            if row["thread_id"] is not None and self._within(start_ns, end_ns):
                *new, track = self._lane("thread", row["thread_id"], start_ns, end_ns)
                yield from new
                yield Slice(track, visible(row["signal"]), "signal", start_ns, end_ns, {"via": visible(row["via"])})

    def _exchanges(self) -> Iterator[Track | Slice]:
        clients: dict[str, tuple[Track, _Nest]] = {}
        process: Track | None = None
        for n, row in enumerate(self._rows("exchanges_exported")):
            start_ns = row["sent_ns"]
            end_ns = self.reader.end_ns if row["answered_ns"] is None else max(start_ns, row["answered_ns"])
            if not self._within(start_ns, end_ns):
                continue
            if process is None:
                process = self.tracks.make("process", f"{self.title}clients", self.tracks.own_pid(CLIENTS_PID))
                yield process
            name = visible(row["client"])
            if name not in clients:
                self.next_tid += 1
                clients[name] = self.tracks.make("thread", name, process.pid, self.next_tid, process.id), _Nest()
                yield clients[name][0]
            told: dict[str, int | str] = {"result": visible(row["result"]), "sent bytes": row["sent_bytes"] or 0,
                                          "answered bytes": row["answered_bytes"] or 0}
            if row["first_call_id"] is not None:
                told["first call"] = row["first_call_id"]
            flow = self.flows + _EXCHANGE_FLOWS + n
            yield Slice(clients[name][0], f"exchange {row['n']}", "exchange", start_ns, end_ns, told, out=(flow,))

    def _counters(self) -> Iterator[Track | Count]:
        before: dict[int, tuple[int, int]] = {}
        made: dict[tuple[int, str], Track] = {}
        for row in self._rows("samples_of_run"):
            process = self.processes.get(row["process_id"])
            if process is None or not self._within(row["at_ns"], row["at_ns"]):
                continue
            values = {"memory": (row["rss_bytes"], "bytes")}
            if row["run_ns"] is not None:
                at_ns, run_ns = before.get(row["process_id"], (None, None))
                if at_ns is not None and row["at_ns"] > at_ns:
                    values["CPU"] = (100 * max(0, row["run_ns"] - run_ns) // (row["at_ns"] - at_ns), "%")
                before[row["process_id"]] = row["at_ns"], row["run_ns"]
            for name, (value, unit) in values.items():
                if value is None:
                    continue
                if (row["process_id"], name) not in made:
                    made[row["process_id"], name] = self.tracks.make("counter", name, process.pid, 0, process.id, unit)
                    yield made[row["process_id"], name]
                yield Count(made[row["process_id"], name], row["at_ns"], value)


class _Links:
    """Links of the calls of a run, asked in the order of the calls."""

    def __init__(self, rows: Iterator[Any], key: str, flows: int) -> None:
        self._rows, self._key, self._flows = rows, key, flows
        self._row = next(rows, None)

    def of(self, call_id: int) -> tuple[int, ...]:
        """Return the flows of a call."""
        found = []
        while self._row is not None and self._row[self._key] <= call_id:
            if self._row[self._key] == call_id:
                found.append(self._flows + self._row["id"])
            self._row = next(self._rows, None)
        return tuple(found)


def _list_of(text: object) -> list[Any]:
    try:
        value = json.loads(str(text))
    except ValueError:
        return []
    return value if isinstance(value, list) else []


def _phases(call: Mapping[str, Any], start_ns: int, end_ns: int) -> tuple[tuple[str, int, int], ...]:
    ready_ns = call["ready_ns"]
    if ready_ns is None or call["duration_ns"] is None or ready_ns > end_ns:
        return ()
    turn_ns = max(start_ns, ready_ns)
    wait = (("wait for data", start_ns, turn_ns),) if turn_ns > start_ns else ()
    return (*wait, ("wake-up + copy", turn_ns, end_ns)) if end_ns > turn_ns else wait


def _told(call: Mapping[str, Any]) -> dict[str, int | str]:
    told: dict[str, int | str] = {"call": call["id"], "outcome": visible(call["outcome"] or "unfinished")}
    for key in ("fd", "asked", "result", "errno", "timeout_ns"):
        if call[key] is not None:
            told[key] = call[key]
    for key in ("peer", "connection_peer", "code"):
        if call[key]:
            told[key.replace("_", " ")] = visible(call[key])
    if call["file"]:
        told["site"] = f"{visible(call['file'])}:{call['line']} {visible(call['function'] or '')}"
    if isinstance(call["payload"], bytes):
        told["payload"] = visible_bytes(call["payload"], call["payload_size"] or len(call["payload"]), 200)
    return told
