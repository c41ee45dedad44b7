"""Time spent in calls, per lane and cell of a grid: from single calls, or from `levels` without reading them all.

Owns the arithmetic of density: how calls and buckets are divided over cells, and how cells become
shares of a picture's columns. Knows the trace's rows, never how a share is drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from .nearby import BUCKET_NS, TOP_LEVEL, Stretch, merged, narrowed, without
from .reading import Fold, Reader
from .values import KIND_INDEX, Cell, Kind, Span, Window

TOP_SHORT_NS = 8_000_000
"""Calls as long as this stand in no level."""
READ_UP_TO = 150_000
LaneKey = tuple[Literal["thread", "socket"], int]
Shares = tuple[float, float, float, float, float]
"""Per class of KINDS, then the share outside of calls. They add up to 1."""


class Grid:
    """Sums per lane and cell: time and calls of each class, bytes.

    Args:
        window: what is counted; whatever lies outside is cut off.
        cell_ns: width of a cell.
        origin_ns: where cell 0 begins.
    """

    def __init__(self, window: Window, cell_ns: int, origin_ns: int) -> None:
        self.window = window
        self.cell_ns = max(1, cell_ns)
        self.origin_ns = origin_ns
        self.lanes: dict[LaneKey, dict[int, list[int]]] = defaultdict(dict)

    def add(self, lane: LaneKey, kind: int, start_ns: int, end_ns: int, calls: int = 0, bytes_: int = 0) -> None:
        """Add time of one class to a lane, divided over the cells it touches; calls and bytes count where it begins.

        Args:
            kind: index into KINDS.
            calls, bytes_: of calls that begin at start_ns (not counted where that lies before the window).
        """
        cells, width = self.lanes[lane], self.cell_ns
        begins = self.window.start_ns <= start_ns < self.window.end_ns
        start_ns, end_ns = max(start_ns, self.window.start_ns), min(end_ns, self.window.end_ns)
        first = (start_ns - self.origin_ns) // width
        if begins:
            cell = cells.setdefault(first, [0] * 9)
            cell[4 + kind] += calls
            cell[8] += bytes_
        for index in range(first, (end_ns - 1 - self.origin_ns) // width + 1):
            low = self.origin_ns + index * width
            cells.setdefault(index, [0] * 9)[kind] += min(end_ns, low + width) - max(start_ns, low)

    def add_call(self, thread_id: int, socket_id: int | None, kind: Kind, start_ns: int, end_ns: int, bytes_: int = 0) -> None:
        """Add one call to the lane of its thread and that of its socket."""
        self.add(("thread", thread_id), KIND_INDEX[kind], start_ns, end_ns, 1, bytes_)
        if socket_id:
            self.add(("socket", socket_id), KIND_INDEX[kind], start_ns, end_ns, 1, bytes_)

    def add_bucket(self, lane: LaneKey, kind: int, bucket: int, ns: int, calls: int, bytes_: int) -> None:
        """Add a bucket as wide as a cell, whole: a picture's columns take their share of it."""
        cells, index = self.lanes[lane], bucket - self.origin_ns // self.cell_ns
        cell = cells.get(index)
        if cell is None:
            cell = cells[index] = [0] * 9
        cell[kind] += ns
        cell[4 + kind] += calls
        cell[8] += bytes_

    def add_sum(self, lane: LaneKey, kind: int, at_ns: int, ns: int, calls: int) -> None:
        """Add time and calls that are known only as sums to the cell of a moment."""
        cell = self.lanes[lane].setdefault((at_ns - self.origin_ns) // self.cell_ns, [0] * 9)
        cell[kind] += ns
        cell[4 + kind] += calls

    def cells(self, lane: LaneKey) -> tuple[Cell, ...]:
        """Return the cells of a lane in which something happened, in order."""
        return tuple(
            Cell(start := self.origin_ns + index * self.cell_ns, start + self.cell_ns,
                 (row[0], row[1], row[2], row[3]), (row[4], row[5], row[6], row[7]), row[8])
            for index, row in sorted(self.lanes.get(lane, {}).items()))


def shares(cells: Sequence[Cell], window: Window, columns: int) -> list[Shares]:
    """Return the share of time of each class in each column of a picture.

    Args:
        cells: of one lane, in order; time in a cell counts as spread evenly over it.
        window: what the columns divide.

    Returns:
        One tuple a column: blocked, fruitless, moved, other, outside of calls. Each adds up to 1: where
        several threads are in calls on one socket, their time is scaled down to fit.
    """
    sums = [[0.0] * 4 for _ in range(columns)]
    for cell in cells:
        for column, part in overlaps(cell.start_ns, cell.end_ns, window, columns):
            into = sums[column]
            for index, ns in enumerate(cell.ns):
                into[index] += ns * part
    width_ns = window.length_ns / columns
    result = []
    for column_ns in sums:
        whole = max(width_ns, sum(column_ns))
        blocked, fruitless, moved, other = (ns / whole for ns in column_ns)
        result.append((blocked, fruitless, moved, other, max(0.0, 1 - blocked - fruitless - moved - other)))
    return result


def overlaps(start_ns: int, end_ns: int, window: Window, columns: int) -> Iterator[tuple[int, float]]:
    """Yield the columns that a stretch of time touches, each with the part of the stretch that lies in it."""
    width_ns = window.length_ns / columns
    length_ns = end_ns - start_ns
    if length_ns <= 0 or end_ns <= window.start_ns or start_ns >= window.end_ns:
        return
    first = max(0, int((start_ns - window.start_ns) / width_ns))
    last = min(columns - 1, int((end_ns - window.start_ns) / width_ns))
    for column in range(first, last + 1):
        low = window.start_ns + column * width_ns
        part = (min(end_ns, low + width_ns) - max(start_ns, low)) / length_ns
        if part > 0:
            yield column, part


def level_for(window: Window, resolution: int) -> int | None:
    """Return the coarsest level with at least four buckets to a column; None where even the finest is too coarse."""
    wanted_ns = window.length_ns / (4 * max(1, resolution))
    fitting = [level for level in range(TOP_LEVEL + 1) if BUCKET_NS * 8**level <= wanted_ns]
    return max(fitting) if fitting else None


def finer_level(reader: Reader, window: Window, level: int, rows: int) -> int:
    """Return the finest level up to a given one of which a window holds no more than some rows."""
    while level and reader.level_rows(_buckets(window, level - 1), level - 1) <= rows:
        level -= 1
    return level


def grid_from_levels(reader: Reader, window: Window, level: int, unseen_ns: int = 0) -> Grid:
    """Return the density of short calls in a window in cells of one width.

    Args:
        level, unseen_ns: as in `grids_from_levels`.
    """
    grid, *coarse = grids_from_levels(reader, window, level, unseen_ns)
    for wide in coarse:
        for lane, cells in wide.lanes.items():
            for index, row in cells.items():
                start_ns = wide.origin_ns + index * wide.cell_ns
                for kind in range(4):
                    if row[kind] or row[4 + kind]:
                        _add_evenly(grid, lane, Window(start_ns, start_ns + wide.cell_ns), row[4 + kind], row[kind], window, kind)
    return grid


def grids_from_levels(reader: Reader, window: Window, level: int, unseen_ns: int = 0) -> list[Grid]:
    """Return the density of short calls in a window, reading buckets, and calls only where levels are elided.

    Rows below a bucket exist only if enough calls are in it: for the others the calls between their
    first and last id are read, in one pass over each stretch of ids.

    Args:
        level: that of the cells (1 ms x 8^level).
        unseen_ns: so much time is too little to see where in a bucket it was. Where more than READ_UP_TO calls stand for
            buckets without finer rows, those with less time than this are taken as they are.

    Returns:
        The cells of the level, and wider ones of those buckets. Their sum is the density.
    """
    width_ns = BUCKET_NS * 8**level
    grid = _grid_of(window, width_ns)
    rows, without_finer = _descend(reader, window, level)
    for row in rows:
        grid.add_bucket(row.lane, row.kind, row.bucket, row.ns, row.calls, row.bytes)
    elided, coarse = _Elided(window), dict[int, Grid]()
    for some in _by_readers(without_finer):
        dear = _to_read(some) > READ_UP_TO
        for row, row_width_ns in some:
            if dear and row.ns < unseen_ns:
                wide = coarse.setdefault(row_width_ns, _grid_of(window, row_width_ns))
                wide.add_bucket(row.lane, row.kind, row.bucket, row.ns, row.calls, row.bytes)
            else:
                elided.want(row, row_width_ns)
    elided.fill(grid, reader)
    return [grid, *coarse.values()]


def _grid_of(window: Window, width_ns: int) -> Grid:
    return Grid(window, width_ns, window.start_ns // width_ns * width_ns)


def _by_readers(rows: list[tuple[_Row, int]]) -> tuple[list[tuple[_Row, int]], list[tuple[_Row, int]]]:
    """Return those of fruitless calls, and the others: different queries read them."""
    fruitless = KIND_INDEX["fruitless"]
    return [one for one in rows if one[0].kind == fruitless], [one for one in rows if one[0].kind != fruitless]


def _to_read(rows: list[tuple[_Row, int]]) -> int:
    """Return how many rows of the table are looked at for buckets, all fruitless or none: the latter have an index."""
    if rows and rows[0][0].kind == KIND_INDEX["fruitless"]:
        return sum(last - first + 1 for first, last in merged([(row.first_id, row.last_id) for row, _ in rows]))
    return sum(row.calls for row, _ in rows)


def grid_from_scan(reader: Reader, window: Window, cell_ns: int) -> Grid:
    """Return the density of short calls in a window by reading them all, in constant memory: for traces without levels."""
    grid = Grid(window, cell_ns, window.start_ns)
    for call in reader.short_calls(window):
        grid.add_call(call.thread_id, call.socket_id, call.kind, call.started_ns, call.ended_ns, call.bytes)
    add_folds(grid, reader, window)
    return grid


def grid_from_calls(calls: Sequence[Span], reader: Reader, window: Window, cell_ns: int) -> Grid:
    """Return the density of calls that are at hand, and of folds."""
    grid = Grid(window, cell_ns, window.start_ns)
    for call in calls:
        grid.add_call(call.thread_id, call.socket_id, call.kind, call.started_ns, call.ended_ns, call.bytes)
    add_folds(grid, reader, window)
    return grid


def add_folds(grid: Grid, reader: Reader, window: Window) -> None:
    """Add the calls that were counted, not kept."""
    for fold in reader.folds(window):
        for lane in _lanes(fold.thread_id, fold.socket_id):
            _add_fold(grid, lane, fold, window)


def grid_with_folds(calls: Sequence[Span], reader: Reader, window: Window, cell_ns: int, level: int) -> Grid:
    """Return the density of calls that are at hand where others were counted only: levels know the fruitless ones among both.

    Args:
        level: from which the fruitless calls are taken.
    """
    fruitless = KIND_INDEX["fruitless"]
    grid = Grid(window, cell_ns, window.start_ns)
    for call in calls:
        if call.kind != "fruitless" or call.duration_ns >= TOP_SHORT_NS:
            grid.add_call(call.thread_id, call.socket_id, call.kind, call.started_ns, call.ended_ns, call.bytes)
    coarse = grid_from_levels(reader, window, level)
    for lane, cells in coarse.lanes.items():
        for index, row in cells.items():
            if row[fruitless] or row[4 + fruitless]:
                start_ns = coarse.origin_ns + index * coarse.cell_ns
                _add_evenly(grid, lane, Window(start_ns, start_ns + coarse.cell_ns), row[4 + fruitless], row[fruitless], window)
    return grid


def few_calls(reader: Reader, window: Window, limit: int) -> list[Span] | None:
    """Return every call of a window in the order of their start, or None where there are more than a limit.

    Levels say how many there are and where in the table they stand, so that a narrow window of a
    long run reads little.
    """
    stretches = few_stretches(reader, window, limit)
    if stretches is None:
        return None
    found = {call.call_id: call for call in reader.long_calls(window)}
    for one in stretches:
        found.update((call.call_id, call) for call in reader.calls(window, one.first, one.last, one.threads))
    return sorted(found.values(), key=lambda call: (call.started_ns, call.call_id)) if len(found) <= limit else None


def few_stretches(reader: Reader, window: Window, limit: int) -> list[Stretch] | None:
    """Return the stretches of ids in which every short call of a window stands, or None where there are more than a limit."""
    coarse, _ = _descend(reader, window, level_for(window, 4) or 0)
    if sum(row.calls for row in coarse if row.lane[0] == "thread") > limit * 5 // 4:
        return None
    rows, elided = _descend(reader, window, 0)
    rows = [row for row in rows if row.lane[0] == "thread"]
    if sum(row.calls for row in rows) > limit:
        return None
    apart = [(row.thread_id, row.first_id, row.last_id) for row, _ in elided if row.lane[0] == "thread"]
    whole = merged([(row.first_id, row.last_id) for row in rows])
    return [*(Stretch(first, last) for first, last in whole), *without(narrowed(reader, window, apart), whole)]


class _Row(NamedTuple):
    thread_id: int
    lane: LaneKey
    kind: int
    bucket: int
    calls: int
    ns: int
    bytes: int
    first_id: int
    last_id: int


def _level_rows(reader: Reader, window: Window, level: int) -> list[_Row]:
    """Return the rows of a level that a window touches, widened to whole buckets of the next level."""
    first, last = _buckets(window, level)
    rows = reader.trace.named("levels_of_run", run=reader.run.id, level=level, first=first, last=last)
    other = KIND_INDEX["other"]
    # Of ten million calls these are a hundred thousand rows: their columns are taken by position.
    return [_Row(thread, ("socket", socket) if socket else ("thread", thread), KIND_INDEX.get(kind, other), *rest)
            for thread, socket, kind, *rest in rows]


def _buckets(window: Window, level: int) -> tuple[int, int]:
    """Return the first and the last bucket of a level, in whole buckets of the next level, that a window touches."""
    parent_ns = BUCKET_NS * 8 ** (level + 1)
    return max(0, window.start_ns // parent_ns) * 8, (window.end_ns - 1) // parent_ns * 8 + 7


def _descend(reader: Reader, window: Window, level: int) -> tuple[list[_Row], list[tuple[_Row, int]]]:
    """Return what a window holds at a level: its rows, and the coarser ones (with their width, ns) below which there are none."""
    width_ns = BUCKET_NS * 8**level
    rows = _level_rows(reader, window, level)
    found = [row for row in rows if row.bucket * width_ns < window.end_ns and (row.bucket + 1) * width_ns > window.start_ns]
    without_finer: list[tuple[_Row, int]] = []
    for above in range(level + 1, TOP_LEVEL + 1):
        finer = {(row.thread_id, row.lane, row.kind, row.bucket // 8) for row in rows}
        rows, width_ns = _level_rows(reader, window, above), BUCKET_NS * 8**above
        for row in rows:
            inside = row.bucket * width_ns < window.end_ns and (row.bucket + 1) * width_ns > window.start_ns
            if inside and (row.thread_id, row.lane, row.kind, row.bucket) not in finer:
                without_finer.append((row, width_ns))
    return found, without_finer


class _Elided:
    """Buckets whose finer rows were not written: which calls stand for them, and where their time goes."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.parts: dict[tuple[int, LaneKey, int], list[tuple[int, int]]] = defaultdict(list)
        self.ids: dict[bool, list[tuple[int, int]]] = {}

    def want(self, row: _Row, width_ns: int) -> None:
        """Take a bucket without finer rows."""
        low, high = max(self.window.start_ns, row.bucket * width_ns), min(self.window.end_ns, (row.bucket + 1) * width_ns)
        if low < high:
            self.parts[row.thread_id, row.lane, row.kind].append((low, high))
            self.ids.setdefault(row.kind == KIND_INDEX["fruitless"], []).append((row.first_id, row.last_id))

    def fill(self, grid: Grid, reader: Reader) -> None:
        """Read the calls of all buckets taken, each stretch of ids once, into a grid."""
        for fruitless, ids in self.ids.items():
            self._fill_kind(grid, reader, fruitless, merged(ids))
        for fold in reader.folds(self.window):
            for lane in _lanes(fold.thread_id, fold.socket_id):
                for low, high in self.parts.get((fold.thread_id, lane, KIND_INDEX["fruitless"]), ()):
                    _add_fold(grid, lane, fold, Window(low, high))

    def _fill_kind(self, grid: Grid, reader: Reader, fruitless: bool, ids: Sequence[tuple[int, int]]) -> None:
        lanes = {lane for _, lane, kind in self.parts if (kind == KIND_INDEX["fruitless"]) == fruitless}
        threads = sorted(number for kind, number in lanes if kind == "thread")
        sockets = sorted(number for kind, number in lanes if kind == "socket")
        for first, last in ids:
            for call in reader.short_calls(self.window, first, last, threads, sockets, fruitless):
                kind = KIND_INDEX[call.kind]
                for lane in _lanes(call.thread_id, call.socket_id):
                    for low, high in self.parts.get((call.thread_id, lane, kind), ()):
                        if call.started_ns < high and max(call.ended_ns, call.started_ns + 1) > low:
                            begins = int(call.started_ns >= low)
                            grid.add(lane, kind, max(call.started_ns, low), min(call.ended_ns, high), begins, begins * call.bytes)


def _add_fold(grid: Grid, lane: LaneKey, fold: Fold, part: Window) -> None:
    """Add a fold's calls, spread evenly over its stretch, as far as they lie in a part of the window."""
    _add_evenly(grid, lane, Window(fold.first_ns, max(fold.last_ns, fold.first_ns + 1)), fold.calls, fold.in_calls_ns, part)


def _add_evenly(
    grid: Grid, lane: LaneKey, stretch: Window, calls: int, in_calls_ns: int, part: Window, kind: int = KIND_INDEX["fruitless"],
) -> None:
    """Add calls of a class, spread evenly over a stretch, as far as they lie in a part of the window."""
    low, high = max(stretch.start_ns, part.start_ns), min(stretch.end_ns, part.end_ns)
    if low >= high:
        return
    for index in range((low - grid.origin_ns) // grid.cell_ns, (high - 1 - grid.origin_ns) // grid.cell_ns + 1):
        edge_ns = grid.origin_ns + index * grid.cell_ns
        start_ns, end_ns = max(low, edge_ns), min(high, edge_ns + grid.cell_ns)
        # What lies before each edge is rounded, so that the parts add up to the whole.
        before, behind = start_ns - stretch.start_ns, end_ns - stretch.start_ns
        ns, count = (whole * behind // stretch.length_ns - whole * before // stretch.length_ns for whole in (in_calls_ns, calls))
        grid.add_sum(lane, kind, start_ns, ns, count)


def _lanes(thread_id: int, socket_id: int | None) -> tuple[LaneKey, ...]:
    return (("thread", thread_id), ("socket", socket_id)) if socket_id else (("thread", thread_id),)
