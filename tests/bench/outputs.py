"""Reads what each tool left on disk: how many calls it holds, and what it knows of each.

Owns the formats of strace, perf trace, bpftrace (our own script), viztracer and sockreel, as far as a benchmark needs
them. Knows nothing of how the tools are run.
"""

from __future__ import annotations

import contextlib
import mmap
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# Kind of call, as a load counts it -> what tools call it: the method, or the system call under it.
NAMES: Mapping[str, tuple[str, ...]] = {
    "accept": ("accept", "accept4", "_accept"),
    "recv": ("recv", "recvfrom"),
    "send": ("send", "sendall", "sendto"),
}
# A call that returned: `recvfrom(4, ...) = 64`, `<... recvfrom resumed>...) = 64`, `... [continued]: recvfrom()) = 64`,
# with the descriptor as `4` or `fd: 4`. strace writes `= ?` where there was no return.
_RETURNED = re.compile(r"\b(?P<name>\w+)(?: resumed>|\((?:fd: )?(?P<fd>\d+)?).*\)\s+= (?P<result>-?\d+)(?: (?P<errno>E[A-Z]+))?")
_EVENT = re.compile(rb'"name": ?"socket\.(\w+)"')

_COUNT = """
SELECT coalesce(sum(s.calls), 0) FROM summaries s JOIN operations o ON o.id = s.operation_id
WHERE o.name = ? AND s.outcome_id IS NOT NULL
"""
_RECORDS = """
SELECT s.fd, c.result, c.errno, s.peer, f.line
FROM calls c JOIN operations o ON o.id = c.operation_id
LEFT JOIN sockets s ON s.id = c.socket_id LEFT JOIN sites f ON f.id = c.site_id
WHERE o.name = 'recv' ORDER BY c.id
"""


@dataclass(frozen=True)
class Record:
    """What a tool says of one receive; None: it does not say.

    Args:
        fd: the descriptor.
        peer: text that holds the other end's port.
        result: bytes moved, where it succeeded.
        errno: name or number, where it failed.
        line: text that holds the line of the program.
    """

    fd: int | None
    peer: str | None
    result: int | None
    errno: str | None
    line: str | None


def _returned(path: Path) -> Iterator[re.Match[str]]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if found := _RETURNED.search(line):
                yield found


def count_lines(path: Path, kind: str) -> int:
    """Count the returned calls of a kind in a text of one call a line."""
    return sum(found["name"] in NAMES[kind] for found in _returned(path))


def read_lines(path: Path) -> list[Record]:
    """Return the receives of such a text."""
    return [
        Record(
            fd=int(found["fd"]) if found["fd"] else None,
            peer=found.string,
            result=int(found["result"]),
            errno=found["errno"] or (found["result"][1:] if found["result"].startswith("-") else None),
            line=found.string,
        )
        for found in _returned(path)
        if found["name"] in NAMES["recv"]
    ]


def _events(path: Path) -> Iterator[str]:
    # Mapped, not read: 100,000 calls are 30 MB in a single line.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for found in _EVENT.finditer(text):
            yield found[1].decode()


def count_events(path: Path, kind: str) -> int:
    """Count the calls of a kind among viztracer's events of C functions."""
    return sum(name in NAMES[kind] for name in _events(path))


def read_events(path: Path) -> list[Record]:
    """Return the receives among viztracer's events: of a C function it keeps name and times."""
    return [Record(None, None, None, None, None) for name in _events(path) if name in NAMES["recv"]]


@contextlib.contextmanager
def _trace(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def count_trace(path: Path, kind: str) -> int:
    """Count the returned calls of a kind in a trace."""
    with _trace(path) as trace:
        return sum(trace.execute(_COUNT, (name,)).fetchone()[0] for name in NAMES[kind])


def read_trace(path: Path) -> list[Record]:
    """Return the receives of a trace."""
    with _trace(path) as trace:
        return [
            Record(fd, peer, result, None if errno is None else str(errno), None if line is None else f":{line}:")
            for fd, result, errno, peer, line in trace.execute(_RECORDS)
        ]


def core_of(path: Path) -> str:
    """Say what wrote a trace's tape."""
    with _trace(path) as trace:
        return str(trace.execute("SELECT core FROM runs").fetchone()[0])
