"""The two phases of a run's receives in figures.

Owns what is counted. Knows the trace, not how it is printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from .store import Run, Trace


@dataclass(frozen=True)
class Phased:
    """Receives of one operation whose ready times come from one source, times in nanoseconds.

    Attributes:
        source: kernel, packet or sender; None: not known, and with it wait_ns, longest_wait_ns and copy_ns.
        wait_ns: from the calls to ready; `longest_wait_ns` of one of them.
        copy_ns: from ready to the returns: wake-up and copy.
        lay_there: how many found their data there; `longest_sat_ns`: for how long it had been there at most.
    """

    operation: str
    source: str | None
    calls: int
    total_ns: int
    wait_ns: int | None
    longest_wait_ns: int | None
    copy_ns: int | None
    lay_there: int
    longest_sat_ns: int | None


def phased(trace: Trace, run: Run) -> list[Phased]:
    """Return the phases of a run, the longest waits first, what is not known last. Reads all calls.

    Raises:
        TraceError: the trace is damaged.
    """
    return [Phased(**dict(row)) for row in trace.named("phases_counted", run=run.id)]
