"""A sweep: servers under more and more clients, of whom few talk and the others only are there.

Owns the points of a sweep, what the clients do at each, and what this machine allows. Knows
sessions; what was measured is read from the trace by others.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SockreelError
from .launching.launch import Command
from .models import Server
from .session import Result, Settings, record
from .workloads.workload import MAX_CLIENTS, Expectation, Group, Message, Payload, Workload

IDLE, ACTIVE = "idle", "active"
"""Groups of clients: those who say nothing, and those who talk."""
REPEATS, LEAST, LONG_S = 3, 2, 8.0
"""How often a point is measured where nobody says: no more than the least once its runs took so long together."""
WORD = b"the quick brown fox\n"
SPARE_DESCRIPTORS = 64

_MS = 1_000_000
_STAGGER_NS = 20_000
_MOST_WAITING = 256  # a full backlog drops whoever comes, who then comes again after a second
_TAKING_UP_NS = 5 * _MS  # a client: more than it takes any server
_BREATH_NS = 50 * _MS
_PATIENCE_NS, _PATIENCE_EACH_NS = 2_000 * _MS, 1 * _MS
_SAMPLE_S = 0.02
_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


class SweepError(SockreelError):
    """A sweep that cannot be: wrong use."""

    exit_status = 2


@dataclass(frozen=True)
class Active:
    """How many of the clients talk: a number, or a share of them."""

    number: int = 1
    share: float | None = None

    def of(self, clients: int) -> int:
        """Return how many of so many clients talk: at least one, at most all."""
        wanted = self.number if self.share is None else round(clients * self.share)
        return max(1, min(clients, wanted))


def is_enough(runs: int, took_s: float, asked: int | None) -> bool:
    """Say whether a point was measured often enough.

    Args:
        runs: so often it was.
        took_s: so long they took together: connecting thousands of clients takes some servers long.
        asked: how often, where somebody said.
    """
    return runs >= asked if asked else runs >= REPEATS or (runs >= LEAST and took_s >= LONG_S)


@dataclass(frozen=True)
class Point:
    """One run of a sweep: a server, clients, of whom some talk, the how-manieth time."""

    server: Server
    clients: int
    active: int
    repeat: int

    @property
    def label(self) -> str:
        """The run's label."""
        return f"{self.server.name}/{self.clients}/{self.repeat}"


def read_active(text: str) -> Active:
    """Read `--active`: a number, or a share like 10%.

    Raises:
        SweepError: it is neither.
    """
    try:
        if text.strip().endswith("%"):
            share = float(text.strip()[:-1]) / 100
            if 0 < share <= 1:
                return Active(share=share)
        elif int(text) >= 1:
            return Active(int(text))
    except ValueError:
        pass
    raise SweepError(f"--active {text}: say how many clients talk (1 or more), or which share of them (10%)")


def read_clients(text: str) -> tuple[int, ...]:
    """Read `--clients`: numbers, separated by commas; they are taken in rising order, each once.

    Raises:
        SweepError: one is none, or is out of range.
    """
    try:
        numbers = sorted({int(word) for word in text.split(",") if word.strip()})
    except ValueError as error:
        raise SweepError(f"--clients {text}: write numbers, separated by commas: 1,10,100") from error
    if not numbers or numbers[0] < 1 or numbers[-1] > MAX_CLIENTS:
        raise SweepError(f"--clients {text}: from 1 to {MAX_CLIENTS:,} clients")
    return tuple(numbers)


def raise_limits(clients: Sequence[int]) -> tuple[tuple[int, ...], list[str]]:
    """Raise what this process and its children may have open, as far as it is allowed.

    Args:
        clients: how many are wanted at each point.

    Returns:
        Those that are possible here, and a line for every limit that forbids others.

    Raises:
        SweepError: none is possible.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limits = []
    if hard != resource.RLIM_INFINITY:
        limits.append((hard - SPARE_DESCRIPTORS, f"a process may open {hard:,} files here (ulimit -Hn {hard})"))
    try:
        low, high = map(int, _PORTS.read_text().split())
        limits.append((high - low + 1, f"there are {high - low + 1:,} ports for clients ({_PORTS})"))
    except (OSError, ValueError):
        pass  # the clients will say so
    lines = []
    possible = tuple(clients)
    for most, why in limits:
        beyond = [count for count in possible if count > most]
        if beyond:
            lines.append(f"left out: {', '.join(f'{count:,}' for count in beyond)} clients: {why}")
            possible = tuple(count for count in possible if count <= most)
    if not possible:
        raise SweepError("; ".join(lines))
    return possible, lines


def workload_of(clients: int, active: int, for_ns: int) -> Workload:
    """Return what the clients of a point do.

    The idle ones connect first, no faster than the server accepts them, and stay. Who talks connects last, so
    that a first answer proves that the server has taken up everybody before; then asks again and again, each time when the answer has come.

    Args:
        clients: all of them.
        active: those who talk.
        for_ns: how long they do.
    """
    idle = clients - active
    there_ns = idle * _STAGGER_NS + (_BREATH_NS if idle else 0)
    patience_ns = _PATIENCE_NS + clients * _PATIENCE_EACH_NS
    groups = []
    if idle:
        groups.append(Group(IDLE, idle, 0, _STAGGER_NS, (), "stay", 0, None))

    def say(after_ns: int, during_ns: int | None, repeat: int) -> Message:
        return Message(Payload(WORD, len(WORD)), None, after_ns, repeat, 0, 0, 0, Expectation("upper"), patience_ns, during_ns)

    talk = (say(0, None, 1), say(_BREATH_NS, for_ns, 1_000_000))
    groups.append(Group(ACTIVE, active, there_ns, _STAGGER_NS, talk, "close", 0, None))
    limit_ns = there_ns + clients * (_STAGGER_NS + _TAKING_UP_NS) + patience_ns + _BREATH_NS + for_ns
    return Workload("sweep", f"{clients} clients, of whom {active} talk", limit_ns, tuple(groups), _MOST_WAITING, server_first=True)


def run_point(point: Point, for_ns: int, base: Settings) -> Result:
    """Record one point into the trace; its label says which it is, and so do the run's settings.

    Args:
        point: which.
        for_ns: how long its clients talk.
        base: output and existing.
    """
    settings = Settings(
        output=base.output, existing=base.existing, label=point.label, model=point.server.model, payload_bytes=0,
        workload=workload_of(point.clients, point.active, for_ns), silent=True, fold=True, by_socket=False,
        max_size_bytes=base.max_size_bytes, sample_s=_SAMPLE_S, keep_last_words=True, gives_way=base.gives_way,
        sweep={"server": point.server.name, "clients": point.clients, "active": point.active, "repeat": point.repeat},
    )  # fmt: skip
    command = Command((sys.executable, str(point.server.script), "127.0.0.1", "0"), point.server.name)
    return record(command, settings, lambda line: None)
