"""What the calls of a run show of its I/O model, gathered without reading all of them.

Owns which calls are looked at: of each thread, socket and class the first and the last, every long one,
every registration. That is a few thousand rows, however many millions of calls there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..traces import Run, Trace
from .naming import SLEEP_NS, Evidence, Peer, RunModel, Use, Waits, Watch, name_run
from .reading import Reader, damaged

_REPORTS = 500_000  # readiness rows of waits that are looked at
_SAMPLE = 4_000  # calls in a row that are looked at for pauses
_FIRST = 100_000  # calls that are looked at where there are no counts
_SPECIAL = 200_000
_O_ASYNC = 0o20000
_F_SETFL = 4
_POLLERS = {"select": "select", "poll": "poll", "epoll_wait": "epoll"}


def load_model(trace: Trace, run: Run) -> RunModel:
    """Return the I/O model that a run is seen to follow.

    Raises:
        TraceError: the trace is damaged.
    """
    return name_run(load_evidence(trace, run))


def load_evidence(trace: Trace, run: Run) -> Evidence:
    """Return what the calls of a run show.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        return _Gathering(trace, run).evidence()
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error


class _Gathering:
    def __init__(self, trace: Trace, run: Run) -> None:
        self.trace, self.run = trace, run
        self.reader = Reader(trace, run)
        words = trace.named("words_of_calls")
        self.operations = {row["id"]: (str(row["name"]), str(row["layer"])) for row in words if row["kind"] == "operation"}
        self.outcomes = {row["id"]: str(row["name"]) for row in words if row["kind"] == "outcome"}
        self.made = {(count.operation, count.layer) for count in self.reader.counts}

    def evidence(self) -> Evidence:
        uses = [*self._short(), *self._long()]
        armed, submitted = self._special()
        return Evidence(
            sockets={id_: Peer(id_, str(row["role"] or ""), int(row["process_id"]), _is_internal(row))
                     for id_, row in self.reader.sockets.items()},
            threads={id_: thread.process_id for id_, thread in self.reader.threads.items()},
            uses=uses, watches=tuple(self._watches()), armed=armed, submitted=submitted, slept=self._slept(uses),
            asyncio=frozenset(int(row["process_id"]) for row in self.reader.sockets.values() if _is_internal(row)))

    def _named(self, name: str, **parameters: Any) -> list[Any]:
        return self.trace.named(name, run=self.run.id, **parameters)

    def _short(self) -> Iterable[Use]:
        lanes = self._named("evidence_per_lane")
        if not lanes and not self.reader.extent.has_levels:
            for row in self._named("evidence_first_calls", most=_FIRST):
                yield self._use(row, 1)
            return
        wanted = sorted({id_ for row in lanes for id_ in (row["first_id"], row["last_id"])})
        calls: dict[int, Any] = {}
        for start in range(0, len(wanted), 20_000):
            calls.update((row["id"], row) for row in self._named("evidence_calls", calls=json.dumps(wanted[start : start + 20_000])))
        for row in lanes:
            for id_ in {row["first_id"], row["last_id"]}:
                call = calls.get(id_)
                # A folded call is no row, and the id of its lane then that of the call before it.
                if call is not None and (call["thread_id"], call["socket_id"]) == (row["thread_id"], row["socket_id"]):
                    yield self._use(call, row["calls"])

    def _use(self, row: Any, calls: int) -> Use:
        operation, layer = self.operations.get(row["operation_id"], ("?", "other"))
        waits: Waits = "forever" if row["timeout_ns"] is None else "limited" if row["timeout_ns"] else "never"
        fruitless = self.outcomes.get(row["outcome_id"]) in ("would_block", "want_read", "want_write") and waits == "never"
        return Use(row["thread_id"], row["socket_id"], operation, layer, waits, fruitless, calls, 0, row["id"])

    def _long(self) -> Iterable[Use]:
        for row in self._named("evidence_long"):
            operation, layer = self.operations.get(row["operation_id"], ("?", "other"))
            if row["socket_id"] is not None and layer != "wait":
                yield Use(row["thread_id"], row["socket_id"], operation, layer, row["waits"], False, row["calls"],
                          row["ns"] if row["waits"] != "never" else 0, row["first_id"])

    def _watches(self) -> Iterable[Watch]:
        for row in self._named("evidence_watched", most=_REPORTS):
            operation, _ = self.operations.get(row["operation_id"], ("?", "other"))
            how = _POLLERS.get(operation) or ("epoll" if row["poller"] == "epoll" else "poll")
            yield Watch(row["socket_id"], how, bool(row["edge"]), bool(row["oneshot"]), row["first_id"])

    def _special(self) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """Return sockets whose signal was armed, and sockets with requests on a ring: each with one call."""
        if not any(layer == "ring" or operation == "fcntl" for operation, layer in self.made):
            return {}, {}
        armed: dict[int, int] = {}
        submitted: dict[int, int] = {}
        for row in self._named("evidence_special", most=_SPECIAL):
            if row["socket_id"] is None:
                continue
            if row["layer"] == "ring":
                submitted.setdefault(row["socket_id"], row["id"])
            elif row["flags"] == _F_SETFL and (row["asked"] or 0) & _O_ASYNC:
                armed.setdefault(row["socket_id"], row["id"])
        return armed, submitted

    def _slept(self, uses: Iterable[Use]) -> dict[int, int]:
        """Return the threads that pause between polls: most of the time around their first ones passes outside of calls, in sleeps."""
        slept: dict[int, int] = {}
        firsts: dict[int, int] = {}
        for use in uses:
            if use.fruitless:
                firsts[use.thread_id] = min(use.call_id, firsts.get(use.thread_id, use.call_id))
        for thread_id, first_id in firsts.items():
            rows = self._named("evidence_around", thread=thread_id, first=first_id, most=_SAMPLE)
            folded = {row["first_ns"]: row for row in self._named("evidence_folds", thread=thread_id, most=_SAMPLE)}
            paused = total = 0
            before = None
            for row in rows:
                fruitless = row["timeout_ns"] == 0 and self.outcomes.get(row["outcome_id"]) == "would_block"
                if before is not None and fruitless:
                    outside_ns, pause_ns = _between(before, row, folded)
                    total += row["started_ns"] - before["started_ns"]
                    if pause_ns >= SLEEP_NS:
                        paused += outside_ns
                        slept.setdefault(thread_id, before["id"])
                before = row if fruitless else None
            if 2 * paused < total or not total:
                slept.pop(thread_id, None)
        return slept


def is_folded_between(before: Any, row: Any) -> bool:
    """Whether other calls, counted and not kept, lie between two rows of the query `evidence_around`."""
    return row["folded_ns"] is not None and bool(row["folded_ns"] >= before["started_ns"])


def _between(before: Any, row: Any, folded: Mapping[int, Any]) -> tuple[int, int]:
    """Return how long a thread was outside of calls between two of them, and how long on end.

    Args:
        before, row: of the query `evidence_around`.
        folded: the thread's folds, by their first moment. Of a fold only the mean is known: from one round of its kinds of calls
            to the next.
    """
    if not is_folded_between(before, row):
        pause_ns = row["started_ns"] - before["started_ns"] - (before["duration_ns"] or 0)
        return pause_ns, pause_ns
    fold = folded.get(row["folded_ns"])
    return (fold["outside_ns"], fold["outside_ns"] * fold["kinds"] // fold["calls"]) if fold and fold["calls"] else (0, 0)


def _is_internal(row: Any) -> bool:
    return "internal" in row.keys() and bool(row["internal"])  # noqa: SIM118 - a Row yields its values
