"""The tables and views of a trace, as far as they belong to one run.

Owns which of them there are and how a row is known to be of a run.
"""

from __future__ import annotations

import sqlite3

from .store import Run, Trace

_OF_RUN = "SELECT * FROM {} WHERE run_id = :run"
_OF_PROCESS = "SELECT t.* FROM {} t JOIN processes p ON p.id = t.process_id WHERE p.run_id = :run"
TABLES = {
    **{name: _OF_RUN.format(name) for name in (
        "connections", "exchanges", "phases", "processes", "requests", "samples", "signals", "spins")},
    **{name: _OF_PROCESS.format(name) for name in ("sockets", "threads")},
}


def rows_of_run(trace: Trace, run: Run, name: str) -> list[sqlite3.Row]:
    """Return the rows of a table or view that belong to a run.

    Args:
        name: one of TABLES.

    Raises:
        ValueError: no such table.
        TraceError: the trace is damaged.
    """
    if name not in TABLES:
        raise ValueError(f"no table {name!r}; there are {', '.join(sorted(TABLES))}")
    return trace.rows(TABLES[name], {"run": run.id})
