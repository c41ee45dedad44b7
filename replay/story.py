"""A run of a trace as a story: lanes, spans, spins, exchanges; frozen values that any renderer draws.

Owns what is told and how much of it: all calls of a window where they are few, densities and the
long calls where they are millions. Reads through the trace given, draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappush, heappushpop
from typing import Any, Literal

from ..traces import Run, Trace
from ..traces.report import blind_spots, command_words
from .cputime import split_cpu
from .density import Grid, few_calls, grid_from_calls, grid_from_levels, grid_from_scan, grid_with_folds, level_for
from .evidence import load_model
from .queue import load_queues
from .reading import Reader, damaged
from .spins import gaps_of_calls, gaps_of_grid, spins_of_calls, spins_of_grid
from .values import KIND_INDEX, Exchange, Facts, Lane, Mark, Site, Span, Standstill, Story, Window

TELL_ALL = 50_000
"""So many calls of a window are told one by one; of more, only the long and the unfinished ones."""
LONG_KEPT = 20_000
SIGNALS_KEPT = 10_000
SCAN_UP_TO = 2_000_000
CELLS_A_COLUMN = 8
UNSEEN = 160

Source = Literal["auto", "levels", "calls"]


def load_story(
    trace: Trace, run: Run, window: Window | None = None, *, resolution: int = 120, max_sockets: int | None = 16,
    max_threads: int | None = 32, sockets: Sequence[int] | None = None, threads: Sequence[int] | None = None, requests: bool = False,
    source: Source = "auto", internal: bool = False,
) -> Story:
    """Return the story of a run, or of a window of it.

    Args:
        trace: an open trace.
        run: one of its runs.
        window: run time to tell; None is all of it.
        resolution: columns that the story must suffice for when it is drawn.
        max_sockets, max_threads: lanes of these; the most active are kept. None keeps all.
        sockets, threads: ids; only these lanes, where given.
        requests: where no workload saw exchanges, take them from the server's own calls (reads every call).
        internal: with the sockets that event loops made for themselves.
        source: where densities come from; auto takes calls where they are few.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        reader = Reader(trace, run)
        window = window or Window(0, reader.end_ns)
        exchanges, measured_by = reader.exchanges(requests)
        still = _Standstills()
        calls, grid, complete, more_calls = _tell(reader, window, resolution, source, still)
        lanes = _Lanes(reader, window, grid, calls, clients_of(exchanges))
        own_threads, more_threads = lanes.threads(max_threads, threads)
        hidden = reader.internal if not internal and sockets is None else frozenset()
        own_sockets, more_sockets = lanes.sockets(max_sockets, sockets, hidden)
        if complete:
            folds = [fold.within(window) for fold in reader.folds(window)]
            spins, gaps = spins_of_calls(calls, folds), gaps_of_calls(calls, folds)
        else:
            spins, gaps = spins_of_grid(grid), gaps_of_grid(grid)
        return Story(
            signals=reader.deliveries(window, SIGNALS_KEPT), hidden_sockets=len(hidden),
            facts=_facts(reader), end_ns=reader.end_ns, window=window, threads=own_threads, sockets=own_sockets,
            more_sockets=more_sockets, more_threads=more_threads, calls=tuple(calls), complete=complete, more_calls=more_calls,
            standstills=still.ranked(), blocked_threads=len(still.threads), spins=spins, gaps=gaps,
            exchanges=exchanges, measured_by=measured_by, counts=reader.counts, cpu=reader.cpu(), model=load_model(trace, run),
            names=lanes.names, usage=reader.usage(),
            queues=load_queues(trace, run, [lane.id for lane in own_sockets]), split=split_cpu(reader),
            closings={id_: row["closed_ns"] for id_, row in reader.sockets.items() if row["closed_ns"] is not None})
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error


class _Standstills:
    """Blocked calls summed up by operation and site while they are read."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, Site | None], Standstill] = {}
        self.threads: set[int] = set()

    def add(self, call: Span) -> None:
        """Take a call, blocked or not."""
        if call.kind != "blocked":
            return
        self.threads.add(call.thread_id)
        key = call.operation, call.site
        old = self.sums.get(key)
        longest = call if old is None or call.duration_ns > old.longest.duration_ns else old.longest
        self.sums[key] = Standstill(*key, (old.calls if old else 0) + 1, (old.ns if old else 0) + call.duration_ns, longest)

    def ranked(self) -> tuple[Standstill, ...]:
        """Return the sums, the most time first."""
        return tuple(sorted(self.sums.values(), key=lambda found: -found.ns))


def _tell(reader: Reader, window: Window, resolution: int, source: Source, still: _Standstills) -> tuple[list[Span], Grid, bool, int]:
    """Return the calls to tell one by one, the density of all, whether the former are all, and how many long ones are left out."""
    extent = reader.extent
    cell_ns = max(1, -(-window.length_ns // (resolution * CELLS_A_COLUMN)))
    calls: list[Span] | None = None
    if source == "auto" and extent.has_levels and extent.counted > TELL_ALL:
        if window.start_ns > 0 or window.end_ns < reader.end_ns:
            calls = few_calls(reader, window, TELL_ALL)
    elif source == "calls" or (source == "auto" and reader.calls_up_to(window, TELL_ALL + 1) <= TELL_ALL):
        calls = list(reader.calls(window, extent.first_id, extent.last_id))
    if calls is not None:
        for call in calls:
            still.add(call)
        if extent.has_levels and next(reader.folds(window), None) is not None:
            return calls, grid_with_folds(calls, reader, window, cell_ns, level_for(window, resolution) or 0), True, 0
        return calls, grid_from_calls(calls, reader, window, cell_ns), True, 0
    level = level_for(window, resolution)
    if not extent.has_levels or (level is None and source == "auto" and extent.counted <= SCAN_UP_TO):
        grid = grid_from_scan(reader, window, cell_ns)
    else:
        grid = grid_from_levels(reader, window, level or 0, window.length_ns // resolution // UNSEEN)
    kept: list[tuple[int, int, Span]] = []  # a heap: the shortest leaves first
    seen = 0
    for call in reader.long_calls(window):
        seen += 1
        still.add(call)
        grid.add_call(call.thread_id, call.socket_id, call.kind, call.started_ns, call.ended_ns, call.bytes)
        (heappush if len(kept) < LONG_KEPT else heappushpop)(kept, (call.duration_ns, call.call_id, call))
    told = sorted((call for _, _, call in kept), key=lambda call: (call.started_ns, call.call_id))
    return told, grid, False, seen - len(told)


def clients_of(exchanges: Sequence[Exchange]) -> dict[int, str]:
    """Return whose connection a socket is: socket id -> client."""
    return {exchange.socket_id: exchange.client for exchange in exchanges if exchange.socket_id is not None}


class _Lanes:
    """Lanes of threads and of sockets, and the names of both."""

    def __init__(self, reader: Reader, window: Window, grid: Grid, calls: Sequence[Span], clients: dict[int, str]) -> None:
        self.reader = reader
        self.window = window
        self.grid = grid
        self.names = {id_: socket_name(row, clients.get(id_)) for id_, row in reader.sockets.items()}
        self._long: dict[tuple[str, int | None], list[Span]] = {}
        for call in calls:
            if call.unfinished or call.duration_ns >= grid.cell_ns * CELLS_A_COLUMN:
                self._long.setdefault(("thread", call.thread_id), []).append(call)
                self._long.setdefault(("socket", call.socket_id), []).append(call)
        self._marks: dict[tuple[str, int | None], list[Mark]] = {}
        for mark in reader.marks(window, grid.cell_ns):
            self._marks.setdefault(("thread", mark.thread_id), []).append(mark)
            self._marks.setdefault(("socket", mark.socket_id), []).append(mark)

    def threads(self, most: int | None, only: Sequence[int] | None) -> tuple[tuple[Lane, ...], int]:
        """Return the lanes of threads in the order of their ids, and how many are left out."""
        ids = [id_ for id_ in self.reader.threads if (only is None or id_ in only) and (("thread", id_) in self.grid.lanes or only)]
        kept = self._most_active("thread", ids, most, lambda _: 0)
        return tuple(self._lane("thread", id_, self.reader.threads[id_].name, {}) for id_ in kept), len(ids) - len(kept)

    def sockets(self, most: int | None, only: Sequence[int] | None, hidden: frozenset[int] = frozenset()) -> tuple[tuple[Lane, ...], int]:
        """Return the lanes of sockets in the order of their opening, and how many are left out."""
        rows = self.reader.sockets
        ids = [id_ for id_, row in rows.items() if (id_ in only if only is not None else id_ not in hidden and self._there(row))]
        kept = self._most_active("socket", ids, most, lambda id_: 1 if rows[id_]["role"] == "listener" else 0)
        return tuple(self._lane("socket", id_, self.names[id_], rows[id_]) for id_ in kept), len(ids) - len(kept)

    def _there(self, row: Any) -> bool:
        opened_ns, closed_ns = row["opened_ns"] or 0, self.window.end_ns if row["closed_ns"] is None else row["closed_ns"]
        return ("socket", row["id"]) in self.grid.lanes or (opened_ns < self.window.end_ns and closed_ns >= self.window.start_ns)

    def _most_active(
        self, kind: Literal["thread", "socket"], ids: Sequence[int], most: int | None, first: Callable[[int], int],
    ) -> list[int]:
        """Return the ids to keep in their order: the given first, then those that moved data, failed, or were called most."""
        if most is None or len(ids) <= most:
            return list(ids)

        def activity(id_: int) -> tuple[int, int, int]:
            cells = self.grid.lanes.get((kind, id_), {}).values()
            moved = sum(cell[4 + KIND_INDEX["moved"]] for cell in cells)
            return first(id_), moved + len(self._marks.get((kind, id_), ())), sum(sum(cell[4:8]) for cell in cells)

        kept = set(sorted(ids, key=activity, reverse=True)[:most])
        return [id_ for id_ in ids if id_ in kept]

    def _lane(self, kind: Literal["thread", "socket"], id_: int, name: str, row: Any) -> Lane:
        known = {key: row[key] for key in ("opened_ns", "closed_ns", "closed_by", "fd", "role", "peer", "local", "parent_id", "process_id")
                 } if kind == "socket" else {}
        return Lane(kind, id_, name, self.grid.cells((kind, id_)), marks=tuple(self._marks.get((kind, id_), ())),
                    spans=tuple(self._long.get((kind, id_), ())), **known)


def socket_name(row: Any, client: str | None) -> str:
    """Return what to call a socket: `fd 4 ada`, after its client where one is known."""
    fd = "?" if row["fd"] is None else row["fd"]
    what = client or (row["role"] if row["role"] in ("listener", "poller", "pair") else row["peer"] or row["role"] or row["kind"] or "")
    return f"fd {fd} {what}".rstrip()


def _facts(reader: Reader) -> Facts:
    run = reader.run
    kinds = reader.kinds()
    return Facts(
        run_id=run.id, name=run.name, model=run.model, command=tuple(command_words(run)), python=run.python, core=run.core,
        started_at=run.started_at, duration_ns=run.duration_ns, exit_status=run.exit_status, ended_by=run.ended_by,
        call_cost_ns=run.call_cost_ns, calls=sum(count.calls for count in reader.counts), lost=run.calls_lost,
        blind_spots=tuple(blind_spots(run)), fruitless=kinds["fruitless"][0], blocked_ns=kinds["blocked"][1],
        kind_calls=(kinds["blocked"][0], kinds["fruitless"][0], kinds["moved"][0], kinds["other"][0]),
        kind_ns=(kinds["blocked"][1], kinds["fruitless"][1], kinds["moved"][1], kinds["other"][1]),
        packets=run.packets_captured, packets_lost=run.packets_lost)
