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
from .values import FAILED, Delivery, Span, Window

LINES = 1_000
"""So many lines are listed unless told otherwise."""
READ_UP_TO = 2_000_000
FEW = 50_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a listing: a call, or `calls` > 1 fruitless ones of one thread in a row.

    `exact` is false where the window cuts a stretch whose calls were counted only.
    """

    first: Span
    last: Span
    calls: int
    in_calls_ns: int
    what: tuple[tuple[str, int | None, int], ...]
    size: int | None = None
    payload: bytes | None = None
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """Lines in the order of time, signals apart. `more` says that there were more than were asked for."""

    entries: tuple[Entry, ...]
    more: bool
    signals: tuple[Delivery, ...] = ()


def load_listing(
    trace: Trace, run: Run, window: Window | None = None, *, failed: bool = False, operations: Sequence[str] | None = None,
    sockets: Sequence[int] | None = None, threads: Sequence[int] | None = None, lines: int = LINES, fold: bool = True,
    payloads: bool = True, internal: bool = False,
) -> Listing:
    """Return the calls of a window, one line each.

    Args:
        window: None is the whole run.
        failed: only calls that failed (a poll that found nothing has not).
        operations, sockets, threads: only these.
        lines: at most so many.
        fold: make one line of consecutive fruitless calls of one thread.
        payloads: with the first bytes moved.
        internal: with calls on the sockets that event loops made for themselves.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        reader = Reader(trace, run)
        window = window or Window(0, reader.end_ns + 1)
        hidden = reader.internal if not internal and sockets is None else frozenset()
        wanted = _Wanted(failed, operations, sockets, threads, hidden)
        folds = [part.within(window) for part in reader.folds(window)] if not failed else []
        groups, more = _grouped(_chosen(reader, window, wanted), list(filter(wanted.of_fold, folds)), lines, fold)
        moved = reader.payloads([group.calls[0].call_id for group in groups if group.calls[0].bytes]) if payloads else {}
        entries = [group.entry(moved.get(group.calls[0].call_id)) for group in groups]
        return Listing(tuple(sorted(entries, key=lambda entry: (entry.first.started_ns, entry.first.call_id))), more,
                       _signals(reader, window, wanted, lines))
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error


@dataclass(frozen=True, slots=True)
class _Wanted:
    failed: bool
    operations: Sequence[str] | None
    sockets: Sequence[int] | None
    threads: Sequence[int] | None
    hidden: frozenset[int]

    def __call__(self, call: Span) -> bool:
        return (
            call.socket_id not in self.hidden
            and (not self.failed or call.failed)
            and (self.operations is None or call.operation in self.operations)
            and (self.sockets is None or call.socket_id in self.sockets)
            and (self.threads is None or call.thread_id in self.threads))

    def of_fold(self, fold: Fold) -> bool:
        """Say whether calls of a fold are wanted."""
        return (
            fold.socket_id not in self.hidden
            and (self.operations is None or fold.operation in self.operations)
            and (self.sockets is None or fold.socket_id in self.sockets)
            and (self.threads is None or fold.thread_id in self.threads))


def _signals(reader: Reader, window: Window, wanted: _Wanted, lines: int) -> tuple[Delivery, ...]:
    """Return the signals to list among the calls: none where only some operations, or failures, are asked for."""
    if wanted.failed or wanted.operations is not None:
        return ()
    threads, sockets = wanted.threads, wanted.sockets
    return tuple(
        signal for signal in reader.deliveries(window, lines)
        if (threads is None or signal.thread_id in threads) and (sockets is None or signal.socket_id in sockets))


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
        self.exact = True
        self.what: Counter[tuple[str, int | None]] = Counter()

    def add(self, call: Span) -> None:
        self.calls[1:] = [call]
        self._count(call, 1, call.duration_ns)

    def add_fold(self, fold: Fold) -> None:
        """Count calls that have no rows."""
        self.calls[1:] = [shape_of_fold(fold)]
        self.exact = self.exact and fold.exact
        self._count(self.calls[-1], fold.calls, fold.in_calls_ns)

    def _count(self, call: Span, calls: int, ns: int) -> None:
        self.count += calls
        self.in_calls_ns += ns
        self.what[call.operation, call.socket_id] += calls

    def entry(self, moved: tuple[int, bytes] | None) -> Entry:
        size, payload = moved or (None, None)
        what = tuple((operation, socket_id, calls) for (operation, socket_id), calls in self.what.most_common())
        return Entry(self.calls[0], self.calls[-1], self.count, self.in_calls_ns, what, size, payload, self.exact)


def shape_of_fold(fold: Fold) -> Span:
    """Return a fold as if it were one call: it stands for calls of which no single one is known."""
    outcome = "timeout" if fold.layer == "wait" else "would_block"
    return Span(0, fold.thread_id, fold.socket_id, fold.operation, fold.layer, outcome, "fruitless", fold.first_ns, fold.last_ns,
                timeout_ns=0, site=fold.site)


class _Groups:
    """Lines while they are collected, and the spin that each thread is in."""

    def __init__(self, folds: Sequence[Fold], together: bool) -> None:
        self.lines: list[_Group] = []
        self._together = together
        self._spins: dict[int, _Group] = {}
        self._folds: dict[int, list[Fold]] = {}
        for fold in reversed(folds):
            self._folds.setdefault(fold.thread_id, []).append(fold)

    def take(self, call: Span) -> None:
        """Take a call, and before it the folds of its thread that began earlier."""
        self._take_folds(call.thread_id, call.started_ns)
        if call.kind == "fruitless" and self._together:
            self._spin(call).add(call)
            return
        self._spins.pop(call.thread_id, None)
        self.lines.append(_Group(call))
        self.lines[-1].add(call)

    def take_rest(self) -> None:
        """Take the folds behind which there is no call."""
        for thread_id, folds in self._folds.items():
            self._take_folds(thread_id, folds[0].last_ns + 1 if folds else 0)

    def _take_folds(self, thread_id: int, before_ns: int) -> None:
        folds = self._folds.get(thread_id, [])
        while folds and folds[-1].first_ns < before_ns:
            fold = folds.pop()
            (self._spin(shape_of_fold(fold)) if self._together else self._alone(fold)).add_fold(fold)

    def _alone(self, fold: Fold) -> _Group:
        self.lines.append(_Group(shape_of_fold(fold)))
        return self.lines[-1]

    def _spin(self, call: Span) -> _Group:
        found = self._spins.get(call.thread_id)
        if found is None:
            found = self._spins[call.thread_id] = _Group(call)
            self.lines.append(found)
        return found


def _grouped(calls: Iterable[Span], folds: Sequence[Fold], lines: int, together: bool) -> tuple[list[_Group], bool]:
    groups = _Groups(folds, together)
    for number, call in enumerate(calls):
        if number >= READ_UP_TO:
            return groups.lines[:lines], True
        groups.take(call)
        if len(groups.lines) > lines:
            return groups.lines[:lines], True
    groups.take_rest()
    return groups.lines[:lines], len(groups.lines) > lines
