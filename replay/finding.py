"""Which sockets and threads people mean on the command line.

Owns the reading of `fd=5`, ids and names. Reads through the trace given.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SockreelError
from ..traces import Run, Trace
from .reading import Reader
from .words import visible


class ReplayError(SockreelError):
    """Something asked for that is not in the run."""


def end_of_run(trace: Trace, run: Run) -> int:
    """Return where a run ends (ns), or as far as the trace knows of one that has no end."""
    return Reader(trace, run).end_ns


def find_sockets(trace: Trace, run: Run, wanted: Sequence[str]) -> list[int]:
    """Return the ids of sockets.

    Args:
        wanted: ids, or fd=N: every socket that had this descriptor.

    Raises:
        ReplayError: there is none.
    """
    sockets = Reader(trace, run).sockets
    found: list[int] = []
    for word in wanted:
        name = word.strip().lower()
        number = name.removeprefix("fd").lstrip("= ")
        by_fd = name.startswith("fd")
        ids = [id_ for id_, row in sockets.items() if str(row["fd"] if by_fd else id_) == number]
        if not ids:
            fds = ", ".join(sorted({f"fd={row['fd']}" for row in list(sockets.values())[:50]})[:8]) or "none"
            raise ReplayError(f"no socket {visible(word)} in {run.name}: name its id, or fd=N (it has {fds})")
        found += ids
    return found


def find_threads(trace: Trace, run: Run, wanted: Sequence[str]) -> list[int]:
    """Return the ids of threads.

    Args:
        wanted: ids, or names.

    Raises:
        ReplayError: there is none.
    """
    threads = Reader(trace, run).threads
    found: list[int] = []
    for word in wanted:
        ids = [id_ for id_, thread in threads.items() if thread.name == word] or [id_ for id_ in threads if str(id_) == word.strip()]
        if not ids:
            names = ", ".join(visible(thread.name) for thread in list(threads.values())[:8]) or "none"
            raise ReplayError(f"no thread {visible(word)} in {run.name}: it has {names}")
        found += ids
    return found
