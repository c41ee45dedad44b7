"""What somebody wants taken elsewhere: a run of a trace, or a window of it, with payloads or without.

Owns the choice, and the calls in it as rows of plain words. Knows no format that they are written in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .store import Run, Trace, named_queries

END_OF_TIME_NS = 2**63 - 1


@dataclass(frozen=True)
class Excerpt:
    """A run of an open trace, as far as it is wanted.

    Args:
        trace: stays open and is the caller's to close.
        run: one of its runs.
        start_ns, end_ns: since the run's start; calls that touch [start, end) are in it.
        payload: whether the bytes that calls moved may leave the trace.
    """

    trace: Trace
    run: Run
    start_ns: int = 0
    end_ns: int = END_OF_TIME_NS
    payload: bool = True

    def calls(self) -> Iterator[dict[str, Any]]:
        """Yield the calls in the order of the tape, one row each, in memory that does not grow.

        Times in nanoseconds since the run's start; `payload` holds bytes or None. Folded calls are rows of no trace.

        Raises:
            TraceError: the trace is damaged.
        """
        parameters = {"run": self.run.id, "start": self.start_ns, "end": self.end_ns, "payload": self.payload}
        for row in self.trace.iterate(named_queries()["calls_exported"], parameters):
            yield {key: row[key] for key in row.keys()}  # noqa: SIM118 - a Row yields its values
