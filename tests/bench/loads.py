"""The loads: what the program and its clients do, in two sizes.

Owns the sizes: the full one for what costs little, the small one for tools that slow a program many times. Figures
are per call, so that both can stand in one table; each size has bare runs of its own to be compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Size:
    """How much of a load.

    Args:
        count: the argument of the program.
        connections: how many its clients open; 0: no clients.
        rounds: exchanges on each connection.
    """

    count: int
    connections: int = 0
    rounds: int = 0


@dataclass(frozen=True)
class Load:
    """One load.

    Args:
        name: its name in programs/load.py.
        title: for tables.
        full, small: its sizes.
    """

    name: str
    title: str
    full: Size
    small: Size


LOADS: Mapping[str, Load] = {
    load.name: load
    for load in (
        Load("recv", "`recv`, nothing there", Size(200_000), Size(20_000)),
        Load("accept", "`accept`, nobody there", Size(100_000), Size(10_000)),
        Load("echo", "echo, 1 connection", Size(10_000, 1, 10_000), Size(2_000, 1, 2_000)),
        Load("epoll", "epoll, 1,000 connections", Size(1_000, 1_000, 10), Size(1_000, 1_000, 3)),
        Load("threads", "50 threads, blocking", Size(50, 50, 200), Size(50, 50, 40)),
    )
}
GROWTH = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


def shrunk(load: Load, factor: int) -> Load:
    """Return a load with a fraction of its calls; connections stay."""

    def less(size: Size) -> Size:
        if not size.connections:
            return replace(size, count=max(1, size.count // factor))
        rounds = max(1, size.rounds // factor)
        return replace(size, rounds=rounds, count=rounds if load.name == "echo" else size.count)

    return replace(load, full=less(load.full), small=less(load.small))
