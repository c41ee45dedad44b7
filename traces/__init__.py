"""The trace format: schema, words, views, store, named queries.

Owns the SQLite file and everything written in SQL. Knows no other room: not how a trace is
recorded, not how it is shown.
"""

from __future__ import annotations

from .histogram import histogram_bin, histogram_quantile, histogram_value
from .references import called, sample_names, split_reference
from .store import (
    FORMAT_VERSION,
    Run,
    Trace,
    TraceError,
    create_trace,
    named_queries,
    open_trace,
)

__all__ = [
    "FORMAT_VERSION",
    "Run",
    "Trace",
    "TraceError",
    "called",
    "create_trace",
    "histogram_bin",
    "histogram_quantile",
    "histogram_value",
    "named_queries",
    "open_trace",
    "sample_names",
    "split_reference",
]
