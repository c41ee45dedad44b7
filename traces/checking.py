"""Is a trace whole: does it agree with SQLite, with itself, and with what its runs say of themselves.

Owns the rules of `sockreel check`. What is counted while recording (`summaries`, `levels`,
`calls_recorded`) is compared with what stands in the rows. Knows nothing of how it is printed.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Row

from .report import blind_spots, read_histogram, read_json
from .store import SURPRISES, Column, Run, Trace, TraceError, tables_of_format

_FARTHEST_NS = 2**60
_KINDS = {"INTEGER": "number", "TEXT": "text", "BLOB": "string of bytes"}


@dataclass(frozen=True)
class Finding:
    """One sentence about a trace.

    Attributes:
        run_id: None where it is about the file.
        wrong: the trace is not whole; otherwise good to know.
    """

    run_id: int | None
    wrong: bool
    text: str


@dataclass(frozen=True)
class Check:
    """What was found, and the runs that were looked at."""

    runs: Sequence[Run]
    findings: Sequence[Finding]

    @property
    def whole(self) -> bool:
        """Nothing is wrong."""
        return not any(finding.wrong for finding in self.findings)


def check_trace(trace: Trace, only: Run | None = None) -> Check:
    """Check a trace.

    Args:
        only: this run, and the file; None: all runs.

    Raises:
        TraceError: the table of runs itself cannot be read.
    """
    findings = list(_guarded(None, _file_findings(trace)))
    runs = trace.runs() if only is None else [only]
    for run in runs:
        findings += _guarded(run.id, _run_findings(trace, run))
    return Check(runs, findings)


def first_wrong(trace: Trace) -> str | None:
    """Return the first thing that nobody could have recorded: columns, references, lists; None where the trace is only incomplete."""
    return next((finding.text for finding in _guarded(None, _unrecordable(trace)) if finding.wrong), None)


def _unrecordable(trace: Trace) -> Iterator[Finding]:
    yield from _misfits(trace)
    yield from _references(trace)
    for run in trace.runs():
        yield from _lists(run)
        yield from _call_findings(run, trace.named("check_calls", run=run.id))


def _guarded(run_id: int | None, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on; where the file cannot be read any further, that is the last one."""
    try:
        yield from findings
    except TraceError as error:
        yield Finding(run_id, True, str(error))
    except SURPRISES as error:
        yield Finding(run_id, True, f"what it holds cannot be counted ({error})")


def _file_findings(trace: Trace) -> Iterator[Finding]:
    yield from _misfits(trace)
    for row in trace.named("check_integrity"):
        if row[0] != "ok":
            yield Finding(None, True, f"SQLite: {row[0]}")
    yield from _references(trace)
    for row in trace.named("check_sources"):
        if hashlib.sha256(str(row["text"]).encode("utf-8", "replace")).hexdigest() != row["sha256"]:
            yield Finding(None, True, f"the stored text of {row['file']} is not what was recorded")
    too_long = trace.named("check_payloads")[0]["rows"]
    if too_long:
        yield Finding(None, True, f"{too_long:,} payloads hold more bytes than their call moved")
    if os.path.exists(f"{trace.path}-wal") and os.path.getsize(f"{trace.path}-wal"):
        yield Finding(None, False, f"its newest part stands in {trace.path.name}-wal: keep the two together")


def _misfits(trace: Trace) -> Iterator[Finding]:
    for table, columns in tables_of_format().items():
        yield from _guarded(None, _column_findings(trace, table, columns))


def _references(trace: Trace) -> Iterator[Finding]:
    for row in trace.named("check_references"):
        yield Finding(None, True, f"{row['rows']:,} rows of {row['child']} name rows of {row['parent']} that are not there")


def _column_findings(trace: Trace, table: str, columns: Sequence[Column]) -> Iterator[Finding]:
    """Say which columns are missing, and which hold what the schema does not let them: SQLite itself takes anything."""
    there = {row["name"] for row in trace.rows(f"PRAGMA table_info({table})")}
    missing = [column.name for column in columns if column.name not in there]
    if missing:
        yield Finding(None, True, f"{table} has no column {', '.join(missing)}" if there else f"the table {table} is missing")
    kept = [column for column in columns if column.name in there]
    if not kept:
        return
    sums = ", ".join(f"coalesce(sum({_is_odd(column)}), 0)" for column in kept)
    for column, rows in zip(kept, trace.rows(f"SELECT {sums} FROM {table}")[0], strict=True):
        if rows:
            what = "time of a run" if _is_time(column) else _KINDS[column.type]
            yield Finding(None, True, f"{column.name} of {rows:,} {'row' if rows == 1 else 'rows'} of {table} is no {what}")


def _is_time(column: Column) -> bool:
    """Whether it is a moment or a stretch of the run: none is 36 years long. The clocks of the machine are other times."""
    return column.name.endswith("_ns") and column.name not in ("monotonic_ns", "realtime_ns")


def _is_odd(column: Column) -> str:
    allowed = f"'{column.type.lower()}'" + ("" if column.required else ", 'null'")
    odd = f"typeof({column.name}) NOT IN ({allowed})"
    return f"({odd} OR {column.name} NOT BETWEEN -{_FARTHEST_NS} AND {_FARTHEST_NS}) IS TRUE" if _is_time(column) else odd


def _run_findings(trace: Trace, run: Run) -> Iterator[Finding]:
    def wrong(text: str) -> Finding:
        return Finding(run.id, True, text)

    yield from _lists(run)
    if run.calls_lost:
        yield wrong(f"{run.calls_lost:,} calls happened and were not recorded")
    for spot in blind_spots(run):
        yield Finding(run.id, False, f"could not see: {spot}")
    rows = trace.named("check_calls", run=run.id)
    yield from _call_findings(run, rows)
    signals = trace.named("check_signals", run=run.id)[0]
    for key, sentence in (("backwards", "signals end before they begin, or begin before the run"),
                          ("elsewhere", "signals came in calls of another thread")):
        if signals[key]:
            yield wrong(f"{signals[key]:,} {sentence}")
    if run.duration_ns is None:
        # The counts of a run that still goes on are behind its rows, or ahead of them.
        yield wrong("not finished: the recorder died or is still running")
        return
    folds = trace.named("check_folds", run=run.id)
    yield from _count_findings(trace, run, rows, folds)
    yield from _level_findings(trace, run, rows, folds)
    yield from _unfinished_findings(trace, run, rows)


def _lists(run: Run) -> Iterator[Finding]:
    for name, kind in (("command", list), ("blind_spots", list), ("settings", dict)):
        if read_json(getattr(run, name), kind) is None:
            yield Finding(run.id, True, f"its {name} cannot be read")


def _call_findings(run: Run, rows: Sequence[Row]) -> Iterator[Finding]:
    for key, sentence in (
        ("no_numbers", "calls have times that are no numbers"),
        ("before_time", "calls begin before the run or end before they begin"),
        ("outcome_without_end", "calls have an outcome but no end"),
        ("end_without_outcome", "calls have an end but no outcome"),
    ):
        count = sum(row[key] for row in rows)
        if count:
            yield Finding(run.id, True, f"{count:,} {sentence}")
    strangers = sum(row["calls"] for row in rows if row["process_run_id"] != run.id)
    if strangers:
        yield Finding(run.id, True, f"{strangers:,} calls were made by threads that are not of this run")


def _count_findings(trace: Trace, run: Run, rows: Sequence[Row], folds: Sequence[Row]) -> Iterator[Finding]:
    found = sum(row["calls"] for row in [*rows, *folds])
    if found != run.calls_recorded:
        yield Finding(run.id, True, f"{run.calls_recorded:,} calls were recorded, {found:,} are here")
    calls: Counter[tuple[int, str]] = Counter()
    time_ns: Counter[tuple[int, str]] = Counter()
    for row in [*rows, *folds]:
        calls[row["process_id"], row["operation"]] += row["calls"]
        time_ns[row["process_id"], row["operation"]] += row["total_ns"]
    summed: Counter[tuple[int, str]] = Counter()
    summed_ns: Counter[tuple[int, str]] = Counter()
    for row in trace.named("check_summaries", run=run.id):
        summed[row["process_id"], row["operation"]] += row["calls"]
        summed_ns[row["process_id"], row["operation"]] += row["total_ns"]
        in_bins = sum(read_histogram(trace, row["histogram"]).values())
        if in_bins != (0 if row["outcome"] == "unfinished" else row["calls"]):
            what = f"{row['operation']} ({row['outcome']})"
            yield Finding(run.id, True, f"{row['calls']:,} {what} were counted, {in_bins:,} are in their histogram")
    for key in sorted({*calls, *summed}, key=str):
        process, operation = key
        if calls[key] != summed[key]:
            yield Finding(run.id, True, f"{calls[key]:,} {operation} of process {process} are here, its summary counted {summed[key]:,}")
        elif time_ns[key] != summed_ns[key]:
            yield Finding(
                run.id, True, f"the {operation} of process {process} took {time_ns[key]:,} ns, its summary says {summed_ns[key]:,} ns"
            )


def _level_findings(trace: Trace, run: Run, rows: Sequence[Row], folds: Sequence[Row]) -> Iterator[Finding]:
    calls: Counter[int] = Counter()
    time_ns: Counter[int] = Counter()
    for row in rows:
        calls[row["thread_id"]] += row["short_calls"]
        time_ns[row["thread_id"]] += row["short_ns"]
    unsure = set()
    for row in folds:
        calls[row["thread_id"]] += row["calls"]
        time_ns[row["thread_id"]] += row["total_ns"]
        if row["with_long_calls"]:
            unsure.add(row["thread_id"])
    levels = {row["thread_id"]: (row["calls"], row["ns"]) for row in trace.named("check_levels", run=run.id)}
    for thread in sorted({*calls, *levels} - unsure):
        counted, counted_ns = levels.get(thread, (0, 0))
        if counted != calls[thread]:
            yield Finding(run.id, True, f"{calls[thread]:,} short calls of thread {thread} are here, its levels counted {counted:,}")
        elif counted_ns != time_ns[thread]:
            yield Finding(run.id, True, f"the short calls of thread {thread} took {time_ns[thread]:,} ns, its levels say {counted_ns:,} ns")


def _unfinished_findings(trace: Trace, run: Run, rows: Sequence[Row]) -> Iterator[Finding]:
    """A call that never returned is its thread's last one: a later one shows that an end is missing."""
    last_ns: dict[int, int] = {}
    for row in rows:
        last_ns[row["thread_id"]] = max(last_ns.get(row["thread_id"], 0), row["last_started_ns"] or 0)
    missing = [row["id"] for row in trace.named("check_unfinished", run=run.id) if row["started_ns"] < last_ns.get(row["thread_id"], 0)]
    if missing:
        first = ", ".join(map(str, missing[:5]))
        yield Finding(run.id, True, f"{len(missing):,} calls have no end, though their thread went on (first: call {first})")
