"""The tables of the claims: measured figures in words, a row for each size, server or kind of call.

Owns which figures stand beside each other. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..words import brief, duration, percent
from .measures import Measures, Served, Waits
from .texts import COLUMNS, WORDS
from .values import Grid

_NOT_KNOWN = "-"


def per_second(served: Served) -> float | None:
    """Return the CPU time (ns) that a server took in each second; None where it is not known."""
    return served.cpu.ns / served.lasted_ns * 1e9 if served.cpu and served.lasted_ns else None


def copy_grid(measures: Measures) -> Grid:
    """Return what receives took that found their data, by size."""
    blocking = {copy.bytes: copy for copy in measures.copying("blocking")}
    nonblocking = {copy.bytes: copy for copy in measures.copying("nonblocking")}
    rows = []
    for count in sorted({*blocking, *nonblocking}):
        cells = [f"{count:,}"]
        for copy in (blocking.get(count), nonblocking.get(count)):
            cells += [duration(copy.median_ns), duration(copy.longest_ns)] if copy else [_NOT_KNOWN] * 2
        rows.append(tuple(cells))
    return Grid(COLUMNS["copy"], tuple(rows))


def fruitless_grid(served: Served) -> Grid:
    """Return how long calls took that found nothing, by operation."""
    return Grid(COLUMNS["fruitless"], tuple(
        (brief(row.operation), f"{row.calls:,}", duration(row.median_ns), duration(row.p99_ns), duration(row.max_ns))
        for row in sorted(served.fruitless, key=lambda row: -row.calls)))


def silence_grid(servers: Sequence[Served]) -> Grid:
    """Return what servers did in each second in which nobody said anything."""
    rows = []
    for served in servers:
        seconds = (served.lasted_ns or 0) / 1e9
        split, usage = served.split, served.usage
        rows.append((
            served.name, _rate(served.calls if served.seen or served.calls else None, seconds), _found_nothing(served),
            duration(per_second(served)), percent(split.fruitless_share) if split and split.total_ns is not None else _NOT_KNOWN,
            _rate(usage.voluntary_switches if usage else None, seconds)))
    return Grid(COLUMNS["silence"], tuple(rows))


def burst_grid(servers: Sequence[Served]) -> Grid:
    """Return what servers did for each exchange of a burst."""
    rows = []
    for served in servers:
        usage = served.usage
        rows.append((
            served.name, _rate(served.calls if served.seen else None, served.answers), _found_nothing(served),
            duration(served.cpu.ns / served.answers) if served.cpu and served.answers else _NOT_KNOWN,
            _rate(usage.voluntary_switches if usage else None, served.answers), duration(served.median_ns),
            f"{served.answers} of {served.asked}"))
    return Grid(COLUMNS["burst"], tuple(rows))


def waits_grid(waits: Sequence[Waits]) -> Grid:
    """Return calls on listeners and connections, by whether they could wait."""
    return Grid(COLUMNS["waits"], tuple(
        (WORDS.get(found.role, found.role), WORDS.get(found.waits, found.waits), f"{found.calls:,}", duration(found.longest_ns))
        for found in waits))


def _found_nothing(served: Served) -> str:
    return percent(served.fruitless_calls / served.calls) if served.calls and served.seen else _NOT_KNOWN


def _rate(count: int | None, of: float) -> str:
    if count is None or not of:
        return _NOT_KNOWN
    rate = count / of
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"
