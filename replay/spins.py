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
        folds: stretches counted only, as far as they lie in the window.
    """
    by_thread: dict[int, list[Span | Fold]] = defaultdict(list)
    pieces: list[Span | Fold] = [*calls, *folds]
    for piece in sorted(pieces, key=_begin_ns):
        by_thread[piece.thread_id].append(piece)
    spins = []
    for thread_id, own in by_thread.items():
        run: list[Span | Fold] = []
        for piece in own:
            if isinstance(piece, Fold) or piece.kind == "fruitless":
                run.append(piece)
            elif run:
                spins.append(_spin(thread_id, run))
                run = []
        if run:
            spins.append(_spin(thread_id, run))
    return tuple(sorted(spins, key=lambda spin: (spin.started_ns, spin.thread_id)))


def _begin_ns(piece: Span | Fold) -> int:
    return piece.first_ns if isinstance(piece, Fold) else piece.started_ns


def _spin(thread_id: int, run: Sequence[Span | Fold]) -> Spin:
    folds = [piece for piece in run if isinstance(piece, Fold)]
    calls = [piece for piece in run if isinstance(piece, Span)]
    return Spin(
        thread_id, _begin_ns(run[0]), max([*(call.ended_ns for call in calls), *(fold.last_ns for fold in folds)]),
        len(calls) + sum(fold.calls for fold in folds),
        sum(call.duration_ns for call in calls) + sum(fold.in_calls_ns for fold in folds), all(fold.exact for fold in folds))


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


def gaps_of_calls(calls: Sequence[Span], folds: Sequence[Fold] = ()) -> tuple[Span, ...]:
    """Return the time a thread spent outside of calls between two of them, told with the call before.

    Args:
        calls: every call of a window, in the order of their start.
        folds: calls that were counted only; there is no gap inside of a fold, nor beside it.

    Returns:
        Spans of operation "" and class other: socket and site are those of the call before the gap.
    """
    folded: dict[int, list[int]] = defaultdict(list)
    for fold in folds:
        folded[fold.thread_id].append(fold.first_ns)
    gaps = []
    before: dict[int, Span] = {}
    for call in calls:
        last = before.get(call.thread_id)
        if last is not None and call.started_ns - last.ended_ns >= GAP_NS and not last.unfinished:
            begins = folded.get(call.thread_id, [])
            at = bisect_left(begins, last.ended_ns)
            if at == len(begins) or begins[at] >= call.started_ns:
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
