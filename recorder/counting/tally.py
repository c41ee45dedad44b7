"""Counts kept while recording: `summaries` and `levels`, so that nobody need scan the calls.

Owns the arithmetic. Knows the tape's layout, no file: slots come in, rows go out as tuples.
The rules of both tables are in traces/schema.sql.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import compress

from ...traces import histogram_bin
from ..agent import layout
from ..agent.layout import OPERATIONS, OUTCOMES
from ..tapes.slots import slot_columns

try:
    from ..tapes._slots import aggregate as _aggregate
except ImportError:  # not built
    aggregate = None
else:
    aggregate = _aggregate

MILLISECOND_NS = 1_000_000
SHORT_NS = 8 * MILLISECOND_NS  # longer calls stand in no level
TOP_LEVEL = 7
DENSE_CALLS = 64  # a bucket with fewer calls has no rows below it
FOLDED_CALLS = 4  # with folded calls, whose rows cannot stand in for levels, so many to each row below are enough
BLOCKED_NS = 100_000
_NO_ID = 1 << 62
_SETTLED_NS = 500 * MILLISECOND_NS  # a call this far back, if short, has reached us

_MOVES = ("recv", "send", "read", "write", "splice", "tls_recv", "tls_send", "ring_recv", "ring_send")
_WAITS = (*_MOVES, "accept", "connect", "select", "poll", "epoll_wait", "do_handshake", "unwrap", "sig", "pause", "ring_wait")
_WAITING = frozenset(code for name, code in OPERATIONS.items() if name.startswith(_WAITS))
_MOVING = frozenset(code for name, code in OPERATIONS.items() if name.startswith(_MOVES))
_READINESS = frozenset(OPERATIONS[name] for name in ("select", "poll", "epoll_wait"))
_WOULD_BLOCK = OUTCOMES["would_block"]
_TIMEOUT = OUTCOMES["timeout"]
_OK = OUTCOMES["ok"]
_WANTS = (OUTCOMES["want_read"], OUTCOMES["want_write"])
_MAY_BE_FRUITLESS = (_TIMEOUT, *_WANTS)
_ON_TLS_SOCKET = (OPERATIONS["tls_recv"], OPERATIONS["tls_send"])

_ALIKE_COLUMNS = ("id", "thread", "socket", "outcome", "duration_ns", "begin")
_ODD_COLUMNS = (*_ALIKE_COLUMNS[:4], "operation", "started_ns", "duration_ns", "timeout_ns", "begin", "end", "moved")
BLOCKED, FRUITLESS, MOVED, OTHER = _CLASSES = ("blocked", "fruitless", "moved", "other")
_WAITING_SET = bytes(code in _WAITING for code in range(256))
_MOVING_SET = bytes(code in _MOVING for code in range(256))


def class_of(operation: int, outcome: int, duration_ns: int, timeout_ns: int, moved: int) -> str:
    """Return the class of a call, as `levels.class` defines it.

    Args:
        operation: code.
        outcome: code.
        duration_ns: how long it took.
        timeout_ns: -1 may block for ever, 0 may not block.
        moved: bytes.
    """
    if outcome == _WOULD_BLOCK or (outcome == _TIMEOUT and timeout_ns == 0) or (outcome in _WANTS and operation in _ON_TLS_SOCKET):
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

    def take(self, calls: int, total_ns: int, least_ns: int, most_ns: int, bytes_: int, bins: Mapping[int, int]) -> None:
        """Add finished calls."""
        self.calls += calls
        self.total_ns += total_ns
        self.min_ns = least_ns if self.min_ns is None else min(self.min_ns, least_ns)
        self.max_ns = most_ns if self.max_ns is None else max(self.max_ns, most_ns)
        self.bytes += bytes_
        for bin_, count in bins.items():
            self.bins[bin_] += count

    def add(self, other: _Summary) -> None:
        """Add what another one counted."""
        if other.min_ns is None or other.max_ns is None:
            self.calls += other.calls
        else:
            self.take(other.calls, other.total_ns, other.min_ns, other.max_ns, other.bytes, other.bins)


Cell = list[int]  # calls, ns, bytes, first call, last call
Key = tuple[int, int, str]  # thread, socket (0: all of the thread's), class
LevelRow = tuple[int, int, int, int, str, int, int, int, int, int]  # thread, socket, level, bucket, class, calls, ns, bytes, first, last


class Tally:
    """The counts of one run. Ids are those of the trace, times those of the run."""

    def __init__(self) -> None:
        self._summaries: dict[tuple[int, int, int | None], _Summary] = {}
        self._levels: list[dict[int, dict[Key, Cell]]] = [{} for _ in range(TOP_LEVEL + 1)]
        self._folded: list[dict[int, set[int]]] = [defaultdict(set) for _ in range(TOP_LEVEL + 1)]  # bucket -> threads
        self._done: list[LevelRow] = []
        self._latest_ns = 0

    def add(self, process: int, columns: Mapping[str, list[int]], start_ns: int) -> None:
        """Count finished calls, given column by column (lists of the same length).

        Args:
            process: id of their process.
            columns: id, thread, socket (ids of the file; socket 0: none), operation, outcome, started_ns, duration_ns,
                timeout_ns, result (below 0: nothing moved), parent (not 0: the bytes are those of that call, too).
            start_ns: what to take from started_ns to get the run's time.
        """
        durations = columns["duration_ns"]
        kinds = list(zip(columns["operation"], columns["outcome"], strict=True))
        moved = self._moved(columns)
        self._summarise(process, kinds, durations, moved)
        if any(columns["parent"]):
            moved = [0 if parent else number for number, parent in zip(moved, columns["parent"], strict=True)]
        begins = [(started - start_ns) // MILLISECOND_NS for started in columns["started_ns"]]
        ends = [(started - start_ns + lasted) // MILLISECOND_NS for started, lasted in zip(columns["started_ns"], durations, strict=True)]
        self._latest_ns = max(self._latest_ns, columns["started_ns"][-1] - start_ns)
        # Nearly all calls stay in their bucket, block nowhere and move nothing: these are counted in groups.
        alike = [
            begin == end and lasted < BLOCKED_NS and not bytes_ and outcome not in _MAY_BE_FRUITLESS
            for begin, end, lasted, bytes_, outcome in zip(begins, ends, durations, moved, columns["outcome"], strict=True)
        ]
        lists = {**columns, "begin": begins, "end": ends, "moved": moved}
        if all(alike):
            self._add_alike(lists)
            return
        odd = [not plain for plain in alike]
        if any(alike):
            self._add_alike({name: list(compress(lists[name], alike)) for name in _ALIKE_COLUMNS})
        self._add_one_by_one({name: list(compress(lists[name], odd)) for name in _ODD_COLUMNS}, start_ns)

    def add_slots(self, process: int, slots: bytes, first_id: int, thread_base: int, socket_base: int, start_ns: int) -> None:
        """Count complete slots as they stand on the tape: the C way where it was built, else through `add`.

        Args:
            process: id of their process.
            slots: whole slots.
            first_id: id of the first; the others follow.
            thread_base, socket_base: what makes the slots' numbers the file's ids.
            start_ns: what to take from started_ns to get the run's time.
        """
        if aggregate is None:
            columns = slot_columns(slots)
            columns["id"] = list(range(first_id, first_id + len(columns["thread"])))
            columns["thread"] = [number + thread_base for number in columns["thread"]]
            columns["socket"] = [number and number + socket_base for number in columns["socket"]]
            self.add(process, columns, start_ns)
            return
        levels, summaries = aggregate(slots, first_id, thread_base, socket_base, start_ns, _WAITING_SET, _MOVING_SET)
        level0 = self._levels[0]
        for bucket, thread, socket, class_, *cell in levels:
            _merge(level0.setdefault(bucket, {}), (thread, socket, _CLASSES[class_]), cell)
        for operation, outcome, calls, total_ns, least, most, bytes_, bins in summaries:
            self._summary(process, operation, outcome).take(calls, total_ns, least, most, bytes_, bins)
        last_ns = int.from_bytes(slots[-layout.SLOT_BYTES + 8 : -layout.SLOT_BYTES + 16], "little", signed=True)
        self._latest_ns = max(self._latest_ns, last_ns - start_ns)

    def absorb(self, other: Tally) -> None:
        """Add what another tally counted, of which nothing was settled yet. It is not to be used any more."""
        for bucket, cells in other._levels[0].items():
            here = self._levels[0].setdefault(bucket, cells)
            if here is not cells:
                for key, cell in cells.items():
                    _merge(here, key, cell)
        for bucket, threads in other._folded[0].items():
            self._folded[0][bucket] |= threads
        for name, summary in other._summaries.items():
            self._summary(*name).add(summary)
        self._latest_ns = max(self._latest_ns, other._latest_ns)

    def _summary(self, process: int, operation: int, outcome: int | None) -> _Summary:
        return self._summaries.setdefault((process, operation, outcome), _Summary())

    def _moved(self, columns: Mapping[str, list[int]]) -> list[int]:
        results = columns["result"]
        if max(results) <= 0:
            return [0] * len(results)
        return [
            result if result > 0 and operation in _MOVING else 0 for result, operation in zip(results, columns["operation"], strict=True)
        ]

    def _add_alike(self, columns: Mapping[str, list[int]]) -> None:
        """Add calls that stay in their bucket, move nothing and block nowhere: whole groups at a time."""
        keys = list(zip(columns["begin"], columns["thread"], columns["socket"], columns["outcome"], strict=True))
        places: dict[tuple[int, int, int, int], list[int]] = defaultdict(list)
        for place, key in enumerate(keys):
            places[key].append(place)
        durations, ids = columns["duration_ns"], columns["id"]
        for (bucket, thread, socket, outcome), found in places.items():
            class_ = FRUITLESS if outcome == _WOULD_BLOCK else OTHER
            cell = [len(found), sum(map(durations.__getitem__, found)), 0, ids[found[0]], ids[found[-1]]]
            _merge(self._levels[0].setdefault(bucket, {}), (thread, socket, class_), cell)

    def _add_one_by_one(self, columns: Mapping[str, list[int]], start_ns: int) -> None:
        level0 = self._levels[0]
        rows = zip(*(columns[name] for name in _ODD_COLUMNS), strict=True)
        for id_, thread, socket, outcome, operation, started, lasted, timeout, begin, end, bytes_ in rows:
            if lasted >= SHORT_NS:
                continue
            class_ = class_of(operation, outcome, lasted, timeout, bytes_)
            inside = lasted
            if begin != end:
                border = (begin + 1) * MILLISECOND_NS
                inside = border - (started - start_ns)
                self._spread(thread, socket, class_, begin + 1, started - start_ns + lasted, id_)
            key = (thread, socket, class_)
            cells = level0.get(begin)
            if cells is None:
                cells = level0[begin] = {}
            cell = cells.get(key)
            if cell is None:
                cells[key] = [1, inside, bytes_, id_, id_]
            else:
                cell[0] += 1
                cell[1] += inside
                cell[2] += bytes_
                if id_ > cell[4]:
                    cell[4] = id_
                elif id_ < cell[3]:
                    cell[3] = id_

    def _spread(self, thread: int, socket: int, class_: str, bucket: int, end_ns: int, id_: int) -> None:
        """Give the later buckets of a call that crosses a border their share of its time."""
        while bucket * MILLISECOND_NS < end_ns:
            inside = min(end_ns, (bucket + 1) * MILLISECOND_NS) - bucket * MILLISECOND_NS
            _merge(self._levels[0].setdefault(bucket, {}), (thread, socket, class_), [0, inside, 0, id_, id_])
            bucket += 1

    def _summarise(self, process: int, kinds: list[tuple[int, int]], durations: list[int], moved: list[int]) -> None:
        lasting: dict[tuple[int, int], list[int]] = defaultdict(list)
        for kind, lasted in zip(kinds, durations, strict=True):
            lasting[kind].append(lasted)
        for (operation, outcome), values in lasting.items():
            bins: dict[int, int] = defaultdict(int)
            for lasted, count in Counter(values).items():
                bins[histogram_bin(lasted)] += count
            self._summary(process, operation, outcome).take(len(values), sum(values), min(values), max(values), 0, bins)
        if any(moved):
            for (operation, outcome), bytes_ in zip(kinds, moved, strict=True):
                self._summaries[process, operation, outcome].bytes += bytes_

    def add_folded(self, thread: int, first_ns: int, last_ns: int) -> None:
        """Note that fruitless calls of a stretch have no rows.

        Args:
            thread: id in the file.
            first_ns, last_ns: the run's time at which the first and the last of them began.
        """
        for bucket in range(first_ns // MILLISECOND_NS, last_ns // MILLISECOND_NS + 1):
            self._folded[0][bucket].add(thread)

    def add_fold(
        self, process: int, where: tuple[int, int, int], when: tuple[int, int], calls: int, total_ns: int, least_ns: int, most_ns: int
    ) -> None:
        """Count folded calls of which only the sums are known: spread evenly, and alike but for the shortest and the longest.

        Args:
            process: id of their process.
            where: thread, socket (0: none), operation.
            when: the run's time from the start of the first to the end of the last.
            calls: how many.
            total_ns, least_ns, most_ns: time in them.
        """
        thread, socket, operation = where
        inner, inner_ns = max(0, calls - 2), max(0, total_ns - least_ns - most_ns)
        bins: dict[int, int] = defaultdict(int)
        for lasted, count in ((least_ns, 1), (most_ns, min(1, calls - 1)), (inner_ns // inner if inner else 0, inner)):
            if count:
                bins[histogram_bin(lasted)] += count
        outcome = _TIMEOUT if operation in _READINESS else _WOULD_BLOCK
        self._summary(process, operation, outcome).take(calls, total_ns, least_ns, most_ns, 0, bins)
        first, last = when[0] // MILLISECOND_NS, max(when[0], when[1] - 1) // MILLISECOND_NS
        buckets = last - first + 1
        for place in range(buckets):
            some, ns = (whole * (place + 1) // buckets - whole * place // buckets for whole in (calls, total_ns))
            # No row has their ids: a range that is empty, and gives way to that of other calls.
            _merge(self._levels[0].setdefault(first + place, {}), (thread, socket, FRUITLESS), [some, ns, 0, _NO_ID, 0])
        self.add_folded(thread, when[0], max(when[0], when[1] - 1))
        self._latest_ns = max(self._latest_ns, when[1])

    def add_unfinished(self, process: int, operation: int) -> None:
        """Count a call that had not returned when its process ended."""
        self._summary(process, operation, None).calls += 1

    def set_unfinished(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Count these as the calls that had not returned, and no others: (process, operation, calls)."""
        self._summaries = {name: summary for name, summary in self._summaries.items() if name[2] is not None}
        for process, operation, calls in rows:
            self._summary(process, operation, None).calls = calls

    def summary_rows(self) -> Iterator[tuple[int, int, int | None, int, int, int | None, int | None, int, str]]:
        """Yield every row of `summaries` after its run_id."""
        for (process, operation, outcome), found in self._summaries.items():
            histogram = json.dumps({str(bin_): count for bin_, count in sorted(found.bins.items())}, separators=(",", ":"))
            yield process, operation, outcome, found.calls, found.total_ns, found.min_ns, found.max_ns, found.bytes, histogram

    def settled_levels(self, finish: bool = False, horizon_ns: int | None = None) -> list[LevelRow]:
        """Return the rows of `levels` that no later call will change, each once.

        Args:
            finish: the run has ended: all that are left.
            horizon_ns: no call that comes later has started before; None: as usual while a program runs.
        """
        horizon = self._latest_ns - SHORT_NS - _SETTLED_NS if horizon_ns is None else horizon_ns
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
        enough = self._enough(level, parent, [cells for _, cells in taken], children)
        for bucket, cells in taken:
            self._emit(level, bucket, {key: cell for key, cell in cells.items() if above[key][0] >= enough.get(key, DENSE_CALLS)})

    def _enough(self, level: int, parent: int, taken: list[dict[Key, Cell]], children: list[int]) -> dict[Key, int]:
        """Return how many calls are enough for rows below a bucket, where its folded calls lower that."""
        here = self._folded[level]
        threads = {thread for bucket in children for thread in here.pop(bucket, ())}
        if not threads:
            return {}
        self._folded[level + 1][parent] |= threads
        rows = Counter(key for cells in taken for key in cells if key[0] in threads and key[2] == FRUITLESS)
        return {key: min(DENSE_CALLS, FOLDED_CALLS * count) for key, count in rows.items()}

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
