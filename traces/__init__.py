"""The trace format: schema, words, views, store, named queries.

Owns the SQLite file and everything written in SQL. Knows no other room: not how a trace is
recorded, not how it is shown.
"""

from __future__ import annotations

from .histogram import histogram_bin, histogram_quantile, histogram_value
from .store import (
    FORMAT_VERSION,
    Run,
    Trace,
    TraceError,
    create_trace,
    named_queries,
    open_trace,
    split_reference,
)

__all__ = [
    "FORMAT_VERSION",
    "Run",
    "Trace",
    "TraceError",
    "create_trace",
    "histogram_bin",
    "histogram_quantile",
    "histogram_value",
    "named_queries",
    "open_trace",
    "split_reference",
]
