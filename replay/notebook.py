"""A trace in Python and in Jupyter: shows itself as a picture, gives rows as plain dicts and, where pandas is there, as frames.

Owns what `sockreel.open` returns. Knows the trace's tables and the pictures, no command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from ..traces import Run, Trace, TraceError, open_trace, split_reference
from ..traces.excerpt import END_OF_TIME_NS, Excerpt

if TYPE_CHECKING:
    from .diagnosis import Diagnosis
    from .values import Story

Table = Literal["sockets", "exchanges", "signals", "samples", "threads", "processes", "phases", "requests", "connections", "spins"]


def open_recording(path: str | os.PathLike[str]) -> Recording:
    """Open a trace for reading.

    Args:
        path: FILE, or FILE#LABEL or FILE#ID for one of its runs.

    Raises:
        TraceError: no such file, no trace, no such run.
    """
    file, selector = split_reference(os.fspath(path))
    trace = open_trace(file)
    try:
        runs = [trace.find_run(selector)] if selector is not None else trace.runs()
    except TraceError:
        trace.close()
        raise
    return Recording(trace, runs)


class Recording:
    """An open trace: a sequence of runs that shows itself as a picture of them. Close it, or use it in a `with`."""

    def __init__(self, trace: Trace, runs: list[Run]) -> None:
        self._trace = trace
        self._runs = [RecordedRun(trace, run) for run in runs]

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[RecordedRun]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, name: str | int) -> RecordedRun:
        """Return a run by its label or id, or by its position where neither fits.

        Raises:
            KeyError: there is none.
        """
        for run in self._runs:
            if name in (run.name, run.id):
                return run
        if isinstance(name, int) and -len(self._runs) <= name < len(self._runs):
            return self._runs[name]
        raise KeyError(f"{name!r}: there are {', '.join(run.name for run in self._runs) or 'no runs'}")

    def close(self) -> None:
        """Close the file."""
        self._trace.close()

    def sql(self, question: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a query as dicts. The file is open for reading only.

        Raises:
            TraceError: the query is wrong, or the file damaged.
        """
        return [dict(row) for row in self._trace.rows(question, parameters)]

    def svg(self, payload: bool = False) -> str:
        """Return a picture of all its runs above each other."""
        return _svg([run.excerpt(payload=payload) for run in self._runs])

    def __repr__(self) -> str:
        return f"<sockreel trace {self._trace.path.name!r}: {', '.join(run.name for run in self._runs) or 'no runs'}>"

    def _repr_svg_(self) -> str | None:
        return self.svg() if self._runs else None


class RecordedRun:
    """One run of an open trace. Times are nanoseconds since its start."""

    def __init__(self, trace: Trace, run: Run) -> None:
        self._trace, self._run = trace, run

    @property
    def id(self) -> int:
        """Its id in the file."""
        return self._run.id

    @property
    def name(self) -> str:
        """Its label, else `run ID`."""
        return self._run.name

    @property
    def info(self) -> dict[str, Any]:
        """Its row in `runs`."""
        return dict(vars(self._run))

    def excerpt(self, start_ns: int = 0, end_ns: int = END_OF_TIME_NS, payload: bool = True) -> Excerpt:
        """Return the run, or a window of it, as exports take it."""
        return Excerpt(self._trace, self._run, start_ns, end_ns, payload)

    def calls(self, start_ns: int = 0, end_ns: int = END_OF_TIME_NS, payload: bool = False) -> Iterator[dict[str, Any]]:
        """Yield its calls one by one, in words, in memory that does not grow.

        Args:
            start_ns, end_ns: only calls that touch this window.
            payload: with the first bytes that each moved.

        Raises:
            TraceError: the trace is damaged.
        """
        return self.excerpt(start_ns, end_ns, payload).calls()

    def table(self, name: Table) -> list[dict[str, Any]]:
        """Return what belongs to this run in a table or view of the trace.

        Raises:
            ValueError: no such table.
            TraceError: the trace is damaged.
        """
        from ..traces.tables import rows_of_run

        return [dict(row) for row in rows_of_run(self._trace, self._run, name)]

    def frame(self, name: Literal["calls"] | Table = "calls", **window: Any) -> Any:
        """Return calls, or a table, as a pandas DataFrame.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        import pandas

        return pandas.DataFrame.from_records(list(self.calls(**window)) if name == "calls" else self.table(name))

    def story(self, **options: Any) -> Story:
        """Return the run as plain values: lanes, spans, spins, exchanges. Options are those of `load_story`."""
        from .story import load_story

        return load_story(self._trace, self._run, **options)

    def explain(self) -> Diagnosis:
        """Return what is wrong with the server, as `sockreel explain` says it."""
        from .diagnosis import diagnose

        return diagnose(self._trace, self._run)

    def svg(self, start_ns: int = 0, end_ns: int = END_OF_TIME_NS) -> str:
        """Return a picture of the run, or of a window of it."""
        return _svg([self.excerpt(start_ns, end_ns, payload=False)])

    def __repr__(self) -> str:
        return f"<sockreel run {self.name!r}: {self._run.calls_recorded:,} calls>"

    def _repr_html_(self) -> str:
        return f"<div aria-label='{escape(self.name, quote=True)}'>{self.svg()}</div>"


def _svg(excerpts: list[Excerpt]) -> str:
    from .exports.timeline_svg import write_svg

    out = BytesIO()
    write_svg(excerpts, out)
    return out.getvalue().decode("utf-8")
