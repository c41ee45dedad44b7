"""Makes trace files without recording anything: what a test says happened is what the trace holds.

Owns a builder over `create_trace` and plain inserts. `summaries` and `levels` are filled by the
rules written down in traces/schema.sql, here in the plainest way, so that a reader is checked
against something else than the recorder's own arithmetic.

    with Recording(path) as recording:
        run = recording.run("blocking")
        main = run.thread("MainThread")
        listener = run.socket(fd=3, role="listener", local="127.0.0.1:8000")
        run.call(main, "accept", listener, at_ns=5 * MS, duration_ns=300 * MS, result=4)
        run.finish(duration_ns=400 * MS)
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from sockreel.traces import create_trace, histogram_bin

US, MS, S = 1_000, 1_000_000, 1_000_000_000
LEVELS, LONG_NS, CROWD = 8, 8 * MS, 64
MOVING = ("recv", "send", "read", "write", "splice", "tls_recv", "tls_send", "ring_recv", "ring_send")
WAITING = ("accept", "connect", "do_handshake", "unwrap", "ring_wait", *MOVING)

Site = tuple[str, int, str, str]
Part = tuple[int | None, str, int, int]  # socket id, operation, calls, time in them (ns)


@dataclass(frozen=True)
class Call:
    """One call as it will stand in the table, with what its class depends on. Times in nanoseconds."""

    id: int
    thread: int
    socket: int | None
    operation: str
    layer: str
    outcome: str | None
    at_ns: int
    duration_ns: int | None
    result: int | None
    timeout_ns: int | None

    @property
    def bytes(self) -> int:
        """Bytes this call moved."""
        moved = self.outcome == "ok" and self.operation.startswith(MOVING)
        return (self.result or 0) if moved else 0

    @property
    def kind(self) -> str:
        """Its class in `levels`."""
        if self.outcome == "would_block" or (self.layer == "wait" and self.timeout_ns == 0 and self.result == 0):
            return "fruitless"
        if self.outcome in ("want_read", "want_write") and self.operation in ("tls_recv", "tls_send"):
            return "fruitless"
        waits = self.layer == "wait" or self.operation.startswith(WAITING)
        if waits and self.timeout_ns != 0 and (self.duration_ns is None or self.duration_ns >= 100 * US):
            return "blocked"
        return "moved" if self.bytes else "other"


class Recording:
    """A trace being made.

    Args:
        path: the file, which must not exist unless `existing` says otherwise.
        existing: as in `create_trace`.
    """

    def __init__(self, path: str | os.PathLike[str], existing: Literal["refuse", "append", "replace"] = "refuse") -> None:
        connection = create_trace(path, existing).conn
        assert connection is not None
        self.connection: sqlite3.Connection = connection
        self.connection.execute("BEGIN")
        self._operations = dict(self.connection.execute("SELECT name, id FROM operations"))
        self._layers = dict(self.connection.execute("SELECT name, layer FROM operations"))
        self._outcomes = dict(self.connection.execute("SELECT name, id FROM outcomes"))
        self._sites: dict[Site, int] = {}
        self._addresses: dict[str, int] = {}

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Commit and close: the trace is then one file."""
        self.connection.execute("COMMIT")
        self.connection.execute("PRAGMA journal_mode=DELETE")
        self.connection.close()

    def insert(self, table: str, **values: Any) -> int:
        """Insert one row and return its id."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        cursor = self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def run(self, label: str | None = None, **columns: Any) -> RunBuilder:
        """Begin a run; `columns` are those of `runs`, with defaults for what must be there."""
        defaults: dict[str, Any] = {
            "label": label, "model": label if label in ("blocking", "nonblocking") else None,
            "command": json.dumps(["python", "server.py"]), "directory": "/home/ada", "python": "3.11.7", "core": "python",
            "host": "lecture", "kernel": "Linux 6.18.0", "started_at": "2026-01-15T09:30:00+00:00",
            "recorder_version": "0.1.0", "call_cost_ns": 1_200,
        }
        return RunBuilder(self, self.insert("runs", **{**defaults, **columns}))

    def operation(self, name: str, layer: str = "wait") -> int:
        """Return an operation's id; one that the trace has no word for yet is added to `layer`."""
        if name not in self._operations:
            self._operations[name] = self.insert("operations", name=name, layer=layer)
            self._layers[name] = layer
        return int(self._operations[name])

    def layer(self, name: str) -> str:
        """Return an operation's layer."""
        return str(self._layers[name])

    def outcome(self, name: str | None) -> int | None:
        """Return an outcome's id; None: unfinished."""
        return None if name is None else int(self._outcomes[name])

    def site(self, site: Site | None) -> int | None:
        """Return a site's id, each one stored once."""
        if site is not None and site not in self._sites:
            file, line, function, code = site
            self._sites[site] = self.insert("sites", file=file, line=line, function=function, code=code)
        return None if site is None else self._sites[site]

    def address(self, text: str | None) -> int | None:
        """Return an address's id, each one stored once."""
        if text is not None and text not in self._addresses:
            self._addresses[text] = self.insert("addresses", text=text)
        return None if text is None else self._addresses[text]


class RunBuilder:
    """One run being made: methods return the ids of what they add. All times in nanoseconds since the run's start."""

    def __init__(self, recording: Recording, run_id: int) -> None:
        self.recording = recording
        self.id = run_id
        self.calls: list[Call] = []
        self._folds: list[tuple[int, int, int, Part]] = []
        self.process_id = self.process()

    def process(self, pid: int = 4242, **columns: Any) -> int:
        """Add a process; later threads, sockets and samples belong to the newest one unless told."""
        defaults: dict[str, Any] = {"started_by": "main", "recorded": 1, "started_ns": 0}
        self.process_id = self.recording.insert("processes", run_id=self.id, pid=pid, **{**defaults, **columns})
        return self.process_id

    def thread(self, name: str | None = "MainThread", process_id: int | None = None, native_id: int = 4242) -> int:
        """Add a thread."""
        return self.recording.insert("threads", process_id=process_id or self.process_id, native_id=native_id, name=name)

    def socket(self, fd: int, role: str | None = "accepted", **columns: Any) -> int:
        """Add a socket; `columns` are those of `sockets` (local, peer, parent_id, opened_ns, closed_ns, closed_by ...)."""
        defaults: dict[str, Any] = {
            "process_id": self.process_id, "kind": "tcp", "family": "AF_INET", "type": "SOCK_STREAM",
            "origin": "accepted" if role == "accepted" else "created", "opened_ns": 0,
        }
        return self.recording.insert("sockets", fd=fd, role=role, **{**defaults, **columns})

    def call(
        self, thread: int, operation: str, socket: int | None = None, *, at_ns: int, duration_ns: int | None = 2 * US,
        outcome: str | None = "ok", result: int | None = None, timeout_ns: int | None = None, site: Site | None = None,
        peer: str | None = None, payload: bytes | None = None, layer: str = "wait", **columns: Any,
    ) -> int:
        """Add one call.

        Args:
            thread: id of its thread.
            operation: its word; a new one is added to `layer`.
            socket: id, or None for a wait for many.
            at_ns: when it began.
            duration_ns: None means unfinished (`outcome` is then None, too).
            payload: the first bytes of what it moved; `result` is then their count unless given.
            columns: others of `calls` (asked, errno, flags, parent_id, ready_ns, ready_source).
        """
        outcome = outcome if duration_ns is not None else None
        result = len(payload) if result is None and payload is not None else result
        room = self.recording
        operation_id = room.operation(operation, layer)
        id_ = room.insert(
            "calls", run_id=self.id, thread_id=thread, socket_id=socket, operation_id=operation_id, outcome_id=room.outcome(outcome),
            started_ns=at_ns, duration_ns=duration_ns, result=result, timeout_ns=timeout_ns, peer_id=room.address(peer),
            site_id=room.site(site), **columns,
        )
        if payload is not None:
            room.insert("payloads", call_id=id_, size=result, data=payload)
        self.calls.append(Call(id_, thread, socket, operation, room.layer(operation), outcome, at_ns, duration_ns, result, timeout_ns))
        return id_

    def spin(
        self, thread: int, operation: str, socket: int | None, *, at_ns: int, until_ns: int, every_ns: int = 10 * US,
        duration_ns: int = 3 * US, site: Site | None = None,
    ) -> int:
        """Add a would_block call every so often in [at_ns, until_ns) and return how many there were."""
        starts = range(at_ns, until_ns, every_ns)
        for start_ns in starts:
            self.call(thread, operation, socket, at_ns=start_ns, duration_ns=duration_ns, outcome="would_block", errno=11,
                      timeout_ns=0, site=site)
        return len(starts)

    def exchange(self, client: str, n: int, socket: int | None = None, **columns: Any) -> None:
        """Add what a client saw; `columns` are those of `exchanges` (connected_ns, sent_ns, answered_ns, result ...)."""
        defaults: dict[str, Any] = {"result": "ok"}
        self.recording.insert("exchanges", run_id=self.id, client=client, n=n, socket_id=socket, **{**defaults, **columns})

    def sample(self, at_ns: int, run_ns: int | None = None, thread: int | None = None, **columns: Any) -> None:
        """Add one CPU sample of the newest process (thread None: the whole of it)."""
        self.recording.insert("samples", run_id=self.id, process_id=self.process_id, thread_id=thread, at_ns=at_ns, run_ns=run_ns,
                              **columns)

    def fold(self, thread: int, first_ns: int, last_ns: int, *parts: Part) -> None:
        """Add a stretch of a spin whose calls were counted, not kept."""
        fold_id = self.recording.insert("folds", thread_id=thread, first_ns=first_ns, last_ns=last_ns)
        for part in parts:
            socket, operation, calls, in_calls_ns = part
            self.recording.insert(
                "fold_parts", fold_id=fold_id, socket_id=socket, operation_id=self.recording.operation(operation), calls=calls,
                in_calls_ns=in_calls_ns, min_ns=in_calls_ns // calls, max_ns=in_calls_ns // calls)
            self._folds.append((thread, first_ns, last_ns, part))

    def finish(self, duration_ns: int | None, exit_status: int | None = 0, ended_by: str | None = "exit", *,
               levels: bool = True, crowd_of_class: bool = False) -> None:
        """End the run: write its counts, summaries and levels. Call it once, last.

        Args:
            duration_ns: None leaves the run open, as one that is still recorded.
            levels: False leaves `levels` empty, as in a damaged trace.
            crowd_of_class: the 64 calls that make finer rows exist are counted per class instead of per lane.
        """
        folded = sum(calls for *_, (_, _, calls, _) in self._folds)
        self.recording.connection.execute(
            "UPDATE runs SET duration_ns=?, exit_status=?, ended_by=?, calls_recorded=? WHERE id=?",
            (duration_ns, exit_status, ended_by, len(self.calls) + folded, self.id))
        self._write_summaries()
        if levels:
            rows = [(self.id, *row) for row in level_rows(self._timed(), crowd_of_class)]
            self.recording.connection.executemany(f"INSERT INTO levels VALUES ({', '.join('?' * 11)})", rows)

    def _timed(self) -> list[Call]:
        """All finished calls; folded ones spread evenly over their stretch, with the id of the call before them."""
        calls = [call for call in self.calls if call.duration_ns is not None]
        for thread, first_ns, last_ns, (socket, operation, count, in_calls_ns) in self._folds:
            before = max((call.id for call in calls if call.at_ns <= first_ns), default=1)
            step_ns = (last_ns - first_ns) // count
            calls += [Call(before, thread, socket, operation, "socket", "would_block", first_ns + n * step_ns, in_calls_ns // count,
                           None, 0) for n in range(count)]
        return calls

    def _write_summaries(self) -> None:
        processes = dict(self.recording.connection.execute("SELECT id, process_id FROM threads"))
        groups: dict[tuple[int, str, str | None], list[Call]] = defaultdict(list)
        for call in self._timed() + [call for call in self.calls if call.duration_ns is None]:
            groups[processes[call.thread], call.operation, call.outcome].append(call)
        for (process, operation, outcome), calls in groups.items():
            durations = [call.duration_ns for call in calls if call.duration_ns is not None]
            histogram: dict[int, int] = defaultdict(int)
            for duration_ns in durations:
                histogram[histogram_bin(duration_ns)] += 1
            self.recording.insert(
                "summaries", run_id=self.id, process_id=process, operation_id=self.recording.operation(operation),
                outcome_id=self.recording.outcome(outcome), calls=len(calls), total_ns=sum(durations), min_ns=min(durations, default=None),
                max_ns=max(durations, default=None), bytes=sum(call.bytes for call in calls), histogram=json.dumps(histogram))


Key = tuple[int, int, int, int, str]  # level, bucket, thread, socket, class


def level_rows(calls: list[Call], crowd_of_class: bool = False) -> list[tuple[int, int, int, int, str, int, int, int, int, int]]:
    """Return the rows of `levels` for calls, in the order of its columns after run_id.

    Args:
        calls: finished ones; those of 8 ms and more stand in no level.
        crowd_of_class: count the 64 calls that make finer rows exist per class instead of per lane.
    """
    sums: dict[Key, list[int]] = {}  # calls, ns, bytes, first id, last id
    for call in calls:
        if call.duration_ns is None or call.duration_ns >= LONG_NS:
            continue
        for level in range(LEVELS):
            for socket in {0, call.socket or 0}:
                _count(sums, call, level, socket)
    crowds: dict[tuple[int, int, int, int, str], int] = defaultdict(int)
    for (level, bucket, thread, socket, kind), row in sums.items():
        crowds[level, bucket, thread, socket, kind if crowd_of_class else ""] += row[0]

    def kept(key: Key) -> bool:
        level, bucket, thread, socket, kind = key
        group = kind if crowd_of_class else ""
        return all(crowds[higher, bucket >> 3 * (higher - level), thread, socket, group] >= CROWD for higher in range(level + 1, LEVELS))

    return [(thread, socket, level, bucket, kind, row[0], row[1], row[2], row[3], row[4])
            for (level, bucket, thread, socket, kind), row in sums.items() if kept((level, bucket, thread, socket, kind))]


def _count(sums: dict[Key, list[int]], call: Call, level: int, socket: int) -> None:
    width_ns = MS * 8**level
    assert call.duration_ns is not None
    end_ns = call.at_ns + call.duration_ns
    first = call.at_ns // width_ns
    last = max(first, (end_ns - 1) // width_ns)
    for bucket in range(first, last + 1):
        row = sums.setdefault((level, bucket, call.thread, socket, call.kind), [0, 0, 0, call.id, call.id])
        if bucket == first:
            row[0] += 1
            row[2] += call.bytes
        row[1] += min(end_ns, (bucket + 1) * width_ns) - max(call.at_ns, bucket * width_ns)
        row[3], row[4] = min(row[3], call.id), max(row[4], call.id)
