"""Counts kept while recording: `summaries` and `levels`, so that nobody need scan the calls.

Owns the arithmetic. Knows neither tape nor file: rows come in as numbers, rows go out as tuples.
The rules of both tables are in traces/schema.sql.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..traces import histogram_bin
from .agent.layout import OPERATIONS, OUTCOMES

MILLISECOND_NS = 1_000_000
SHORT_NS = 8 * MILLISECOND_NS  # longer calls stand in no level
TOP_LEVEL = 7
DENSE_CALLS = 64  # a bucket with fewer calls has no rows below it
BLOCKED_NS = 100_000
_SETTLED_NS = 500 * MILLISECOND_NS  # a call this far back, if short, has reached us

_WAITING = frozenset(code for name, code in OPERATIONS.items() if name == "accept" or name.startswith(("recv", "send", "connect")))
_MOVING = frozenset(code for name, code in OPERATIONS.items() if name.startswith(("recv", "send")))
_WOULD_BLOCK = OUTCOMES["would_block"]
_OK = OUTCOMES["ok"]

BLOCKED, FRUITLESS, MOVED, OTHER = "blocked", "fruitless", "moved", "other"


def class_of(operation: int, outcome: int, duration_ns: int, timeout_ns: int, moved: int) -> str:
    """Return the class of a call, as `levels.class` defines it.

    Args:
        operation: code.
        outcome: code.
        duration_ns: how long it took.
        timeout_ns: -1 may block for ever, 0 may not block.
        moved: bytes.
    """
    if outcome == _WOULD_BLOCK:
        return FRUITLESS
    if timeout_ns != 0 and duration_ns >= BLOCKED_NS and operation in _WAITING:
        return BLOCKED
    return MOVED if moved > 0 else OTHER


@dataclass
class _Summary:
    calls: int = 0
    total_ns: int = 0
    min_ns: int | None = None
    max_ns: int | None = None
    bytes: int = 0
    bins: dict[int, int] = field(default_factory=lambda: defaultdict(int))


Cell = list[int]  # calls, ns, bytes, first call, last call
Key = tuple[int, int, str]  # thread, socket (0: all of the thread's), class
LevelRow = tuple[int, int, int, int, str, int, int, int, int, int]  # thread, socket, level, bucket, class, calls, ns, bytes, first, last


class Tally:
    """The counts of one run. Ids are those of the trace, times those of the run."""

    def __init__(self) -> None:
        self._summaries: dict[tuple[int, int, int | None], _Summary] = {}
        self._levels: list[dict[int, dict[Key, Cell]]] = [{} for _ in range(TOP_LEVEL + 1)]
        self._done: list[LevelRow] = []
        self._latest_ns = 0

    def add(
        self,
        process: int,
        ids: Iterable[int],
        thread: Iterable[int],
        socket: Iterable[int],
        operation: Iterable[int],
        outcome: Iterable[int],
        started_ns: Iterable[int],
        duration_ns: Iterable[int],
        timeout_ns: Iterable[int],
        result: Iterable[int],
        inner: bool = False,
    ) -> None:
        """Count finished calls, given column by column.

        Args:
            process: id of their process.
            ids, thread, socket, operation, outcome, started_ns, duration_ns, timeout_ns, result: a value per call;
                socket 0: none; result below 0: nothing moved.
            inner: they ran inside another call of the same bytes (`sendfile`): bytes are not counted again in levels.
        """
        level0 = self._levels[0]
        last_bucket = -1
        cells: dict[Key, Cell] = {}
        durations: dict[tuple[int, int], list[int]] = defaultdict(list)
        moved_bytes: dict[tuple[int, int], int] = defaultdict(int)
        started = 0
        for id_, thr, sock, op, out, started, duration, timeout, res in zip(
            ids, thread, socket, operation, outcome, started_ns, duration_ns, timeout_ns, result, strict=True
        ):
            durations[op, out].append(duration)
            moved = res if res > 0 and op in _MOVING else 0
            if moved:
                moved_bytes[op, out] += moved
                if inner:
                    moved = 0
            if duration >= SHORT_NS:
                continue
            if out == _WOULD_BLOCK:
                class_ = FRUITLESS
            elif timeout != 0 and duration >= BLOCKED_NS and op in _WAITING:
                class_ = BLOCKED
            else:
                class_ = MOVED if moved else OTHER
            bucket = started // MILLISECOND_NS
            if bucket != last_bucket:
                last_bucket = bucket
                found = level0.get(bucket)
                if found is None:
                    found = level0[bucket] = {}
                cells = found
            inside = duration
            end = (bucket + 1) * MILLISECOND_NS
            if started + duration > end:
                inside = end - started
                self._spread(thr, sock, class_, bucket + 1, started + duration, id_)
            cell = cells.get((thr, sock, class_))
            if cell is None:
                cells[thr, sock, class_] = [1, inside, moved, id_, id_]
            else:
                cell[0] += 1
                cell[1] += inside
                cell[2] += moved
                if id_ > cell[4]:
                    cell[4] = id_
                elif id_ < cell[3]:
                    cell[3] = id_
        self._latest_ns = max(self._latest_ns, started)
        for (op, out), values in durations.items():
            self._summarise(process, op, out, values, moved_bytes[op, out])

    def _spread(self, thread: int, socket: int, class_: str, bucket: int, end_ns: int, id_: int) -> None:
        """Give the later buckets of a call that crosses a border their share of its time."""
        while bucket * MILLISECOND_NS < end_ns:
            inside = min(end_ns, (bucket + 1) * MILLISECOND_NS) - bucket * MILLISECOND_NS
            cell = self._levels[0].setdefault(bucket, {}).setdefault((thread, socket, class_), [0, 0, 0, id_, id_])
            cell[1] += inside
            cell[3] = min(cell[3], id_)
            cell[4] = max(cell[4], id_)
            bucket += 1

    def _summarise(self, process: int, operation: int, outcome: int, durations: list[int], moved: int) -> None:
        summary = self._summaries.setdefault((process, operation, outcome), _Summary())
        summary.calls += len(durations)
        summary.total_ns += sum(durations)
        summary.bytes += moved
        least, most = min(durations), max(durations)
        summary.min_ns = least if summary.min_ns is None else min(summary.min_ns, least)
        summary.max_ns = most if summary.max_ns is None else max(summary.max_ns, most)
        bins = summary.bins
        for duration in durations:
            bins[histogram_bin(duration)] += 1

    def add_unfinished(self, process: int, operation: int) -> None:
        """Count a call that had not returned when its process ended."""
        self._summaries.setdefault((process, operation, None), _Summary()).calls += 1

    def summary_rows(self) -> Iterator[tuple[int, int, int | None, int, int, int | None, int | None, int, str]]:
        """Yield every row of `summaries` after its run_id."""
        for (process, operation, outcome), found in self._summaries.items():
            histogram = json.dumps({str(bin_): count for bin_, count in sorted(found.bins.items())}, separators=(",", ":"))
            yield process, operation, outcome, found.calls, found.total_ns, found.min_ns, found.max_ns, found.bytes, histogram

    def settled_levels(self, finish: bool = False) -> list[LevelRow]:
        """Return the rows of `levels` that no later call will change, each once.

        Args:
            finish: the run has ended: all that are left.
        """
        horizon = self._latest_ns - SHORT_NS - _SETTLED_NS
        width = MILLISECOND_NS
        for level in range(TOP_LEVEL):
            parents: dict[int, list[int]] = defaultdict(list)
            for bucket in self._levels[level]:
                parents[bucket // 8].append(bucket)
            width *= 8
            for parent, children in parents.items():
                if finish or (parent + 1) * width <= horizon:
                    self._roll_up(level, parent, sorted(children))
        if finish:
            for bucket, cells in sorted(self._levels[TOP_LEVEL].items()):
                self._emit(TOP_LEVEL, bucket, cells)
            self._levels[TOP_LEVEL].clear()
        done, self._done = self._done, []
        return done

    def _roll_up(self, level: int, parent: int, children: list[int]) -> None:
        here = self._levels[level]
        above = self._levels[level + 1].setdefault(parent, {})
        taken = [(bucket, here.pop(bucket)) for bucket in children]
        if level == 0:
            for _, cells in taken:
                _add_threads(cells)
        for _, cells in taken:
            for key, cell in cells.items():
                _merge(above, key, cell)
        for bucket, cells in taken:
            self._emit(level, bucket, {key: cell for key, cell in cells.items() if above[key][0] >= DENSE_CALLS})

    def _emit(self, level: int, bucket: int, cells: dict[Key, Cell]) -> None:
        for (thread, socket, class_), (calls, ns, moved, first, last) in cells.items():
            self._done.append((thread, socket, level, bucket, class_, calls, ns, moved, first, last))


def _merge(cells: dict[Key, Cell], key: Key, cell: Cell) -> None:
    found = cells.get(key)
    if found is None:
        cells[key] = cell[:]
        return
    found[0] += cell[0]
    found[1] += cell[1]
    found[2] += cell[2]
    found[3] = min(found[3], cell[3])
    found[4] = max(found[4], cell[4])


def _add_threads(cells: dict[Key, Cell]) -> None:
    """Add, for each thread, the sum over its sockets (socket 0); calls without a socket are already there."""
    for (thread, socket, class_), cell in list(cells.items()):
        if socket:
            _merge(cells, (thread, 0, class_), cell)
