"""Calls one by one, in words: which of a window, filtered, spins folded into one line.

Owns the selection and the folding. Reads through the trace given, draws nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..traces import Run, Trace
from .density import few_calls
from .reading import Fold, Reader, damaged
from .values import FAILED, Span, Window

LINES = 1_000
"""So many lines are listed unless told otherwise."""
READ_UP_TO = 2_000_000
FEW = 50_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a listing: a call, or `calls` > 1 fruitless ones of one thread in a row."""

    first: Span
    last: Span
    calls: int
    in_calls_ns: int
    what: tuple[tuple[str, int | None, int], ...]
    size: int | None = None
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Lines in the order of time. `more` says that there were more than were asked for."""

    entries: tuple[Entry, ...]
    more: bool


def load_listing(
    trace: Trace, run: Run, window: Window | None = None, *, failed: bool = False, operations: Sequence[str] | None = None,
    sockets: Sequence[int] | None = None, threads: Sequence[int] | None = None, lines: int = LINES, fold: bool = True,
    payloads: bool = True,
) -> Listing:
    """Return the calls of a window, one line each.

    Args:
        window: None is the whole run.
        failed: only calls that failed (a poll that found nothing has not).
        operations, sockets, threads: only these.
        lines: at most so many.
        fold: make one line of consecutive fruitless calls of one thread.
        payloads: with the first bytes moved.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        reader = Reader(trace, run)
        window = window or Window(0, reader.end_ns + 1)
        wanted = _Wanted(failed, operations, sockets, threads)
        groups, more = _grouped(_chosen(reader, window, wanted), lines, fold)
        folds = list(reader.folds(window)) if fold else []
        moved = reader.payloads([group.calls[0].call_id for group in groups if group.calls[0].bytes]) if payloads else {}
        entries = [group.entry(folds, moved.get(group.calls[0].call_id)) for group in groups]
        return Listing(tuple(sorted(entries, key=lambda entry: (entry.first.started_ns, entry.first.call_id))), more)
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error


@dataclass(frozen=True, slots=True)
class _Wanted:
    failed: bool
    operations: Sequence[str] | None
    sockets: Sequence[int] | None
    threads: Sequence[int] | None

    def __call__(self, call: Span) -> bool:
        return (
            (not self.failed or call.failed)
            and (self.operations is None or call.operation in self.operations)
            and (self.sockets is None or call.socket_id in self.sockets)
            and (self.threads is None or call.thread_id in self.threads))


def _chosen(reader: Reader, window: Window, wanted: _Wanted) -> Iterator[Span]:
    """Yield the calls that are wanted: of a narrow window by way of the levels, else by reading all."""
    few = few_calls(reader, window, FEW) if reader.extent.has_levels else None
    if few is not None:
        return filter(wanted, few)
    outcomes = FAILED if wanted.failed else None
    return filter(wanted, reader.listed(window, outcomes, wanted.operations, wanted.sockets, wanted.threads))


class _Group:
    """Calls that share a line while they are collected; of a long spin only the first and the last are kept."""

    def __init__(self, call: Span) -> None:
        self.calls = [call]
        self.count = 0
        self.in_calls_ns = 0
        self.what: Counter[tuple[str, int | None]] = Counter()
        self.add(call)

    def add(self, call: Span) -> None:
        self.calls[1:] = [call]
        self.count += 1
        self.in_calls_ns += call.duration_ns
        self.what[call.operation, call.socket_id] += 1

    def entry(self, folds: Sequence[Fold], moved: tuple[int, bytes] | None) -> Entry:
        first, last = self.calls[0], self.calls[-1]
        inside = [fold for fold in folds if self.count > 1 and fold.thread_id == first.thread_id
                  and first.started_ns <= fold.first_ns and fold.last_ns <= last.ended_ns]
        return Entry(
            first, last, self.count + sum(fold.calls for fold in inside), self.in_calls_ns + sum(fold.in_calls_ns for fold in inside),
            tuple((operation, socket_id, calls) for (operation, socket_id), calls in self.what.most_common()),
            *(moved or (None, None)))


def _grouped(calls: Iterable[Span], lines: int, fold: bool) -> tuple[list[_Group], bool]:
    groups: list[_Group] = []
    spins: dict[int, _Group] = {}
    for number, call in enumerate(calls):
        spin = spins.get(call.thread_id)
        if fold and call.kind == "fruitless" and spin is not None:
            spin.add(call)
            continue
        if len(groups) >= lines or number >= READ_UP_TO:
            return groups, True
        spins.pop(call.thread_id, None)
        groups.append(_Group(call))
        if call.kind == "fruitless":
            spins[call.thread_id] = groups[-1]
    return groups, False
