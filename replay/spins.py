"""Spins and gaps: what a thread does when it gets nothing, and when it is in no socket call at all.

Owns the folding of fruitless calls into spins, and of the time between calls into gaps. Reads
values, no file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from .density import Grid
from .reading import Fold
from .values import KIND_INDEX, Site, Span, Spin

GAP_NS = 8_000_000
"""Between two calls of a thread, so much time is told as a gap: it slept, computed or waited elsewhere."""


def spins_of_calls(calls: Sequence[Span], folds: Sequence[Fold]) -> tuple[Spin, ...]:
    """Return the spins among calls: consecutive fruitless calls of one thread, folded ones counted in.

    Args:
        calls: every call of a window, in the order of their start.
        folds: stretches counted only; they lie inside of spins.
    """
    by_thread: dict[int, list[Span]] = defaultdict(list)
    for call in calls:
        by_thread[call.thread_id].append(call)
    spins = []
    for thread_id, own in by_thread.items():
        mine = [fold for fold in folds if fold.thread_id == thread_id]
        run: list[Span] = []
        for call in own:
            if call.kind == "fruitless":
                run.append(call)
            elif run:
                spins.append(_spin(thread_id, run, mine))
                run = []
        if run:
            spins.append(_spin(thread_id, run, mine))
    return tuple(sorted(spins, key=lambda spin: (spin.started_ns, spin.thread_id)))


def _spin(thread_id: int, run: Sequence[Span], folds: Sequence[Fold]) -> Spin:
    start_ns, end_ns = run[0].started_ns, max(call.ended_ns for call in run)
    inside = [fold for fold in folds if fold.first_ns >= start_ns and fold.last_ns <= end_ns]
    return Spin(
        thread_id, start_ns, end_ns, len(run) + sum(fold.calls for fold in inside),
        sum(call.duration_ns for call in run) + sum(fold.in_calls_ns for fold in inside))


def spins_of_grid(grid: Grid) -> tuple[Spin, ...]:
    """Return stretches of cells of a thread that hold fruitless calls and no others: spins, as far as a density shows them."""
    fruitless = KIND_INDEX["fruitless"]
    spins = []
    for (kind, thread_id), cells in grid.lanes.items():
        if kind != "thread":
            continue
        run: list[tuple[int, list[int]]] = []
        for index, cell in [*sorted(cells.items()), (-1, [0] * 9)]:
            only = cell[4 + fruitless] > 0 and not any(cell[n] or cell[4 + n] for n in range(4) if n != fruitless)
            if run and not (only and index == run[-1][0] + 1):
                start_ns = grid.origin_ns + run[0][0] * grid.cell_ns
                spins.append(Spin(
                    thread_id, start_ns, start_ns + len(run) * grid.cell_ns, sum(row[4 + fruitless] for _, row in run),
                    sum(row[fruitless] for _, row in run), exact=False))
                run = []
            if only:
                run.append((index, cell))
    return tuple(sorted(spins, key=lambda spin: (spin.started_ns, spin.thread_id)))


def gaps_of_calls(calls: Sequence[Span]) -> tuple[Span, ...]:
    """Return the time a thread spent outside of calls between two of them, told with the call before.

    Args:
        calls: every call of a window, in the order of their start.

    Returns:
        Spans of operation "" and class other: socket and site are those of the call before the gap.
    """
    gaps = []
    before: dict[int, Span] = {}
    for call in calls:
        last = before.get(call.thread_id)
        if last is not None and call.started_ns - last.ended_ns >= GAP_NS and not last.unfinished:
            gaps.append(_gap(last.call_id, call.thread_id, last.socket_id, last.site, last.ended_ns, call.started_ns))
        if last is None or call.ended_ns >= last.ended_ns:
            before[call.thread_id] = call
    return tuple(gaps)


def _gap(call_id: int, thread_id: int, socket_id: int | None, site: Site | None, start_ns: int, end_ns: int) -> Span:
    return Span(call_id, thread_id, socket_id, "", "", "ok", "other", start_ns, end_ns, site=site)


def gaps_of_grid(grid: Grid) -> tuple[Span, ...]:
    """Return the stretches of cells in which a thread made no call, as far as a density shows them.

    The socket is the one seen busy last. A density does not say which thread was on a socket: with
    several threads it stays unknown.
    """
    threads = [number for kind, number in grid.lanes if kind == "thread"]
    busy = sorted((index, number) for (kind, number), cells in grid.lanes.items() if kind == "socket" for index in cells)
    gaps = []
    for thread_id in threads:
        for index, following in pairwise(sorted(grid.lanes["thread", thread_id])):
            start_ns, end_ns = grid.origin_ns + (index + 1) * grid.cell_ns, grid.origin_ns + following * grid.cell_ns
            if end_ns - start_ns >= GAP_NS:
                at = bisect_left(busy, (index + 1, 0)) if len(threads) == 1 else 0
                gaps.append(_gap(0, thread_id, busy[at - 1][1] if at else None, None, start_ns, end_ns))
    return tuple(sorted(gaps, key=lambda gap: gap.started_ns))
