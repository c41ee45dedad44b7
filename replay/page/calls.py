"""Calls of a run -> a pack for the page: every call with all that is known of it, what many share kept once.

Owns what the columns of calls mean. Calls with the same thread, socket, operation, outcome, site and so on
share one *shape*, so that a million fruitless calls cost their times and nothing more. Draws nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ...traces import Run, Trace, named_queries
from ..nearby import Stretch, merged
from ..reading import MAX_ID, Reader, damaged
from ..values import BLOCKED_FROM_NS, KIND_INDEX, Window, class_of
from .packing import Column, pack

PAYLOAD_BYTES = 32 << 20
"""So many bytes of payloads are put into one pack, equal ones counted once; calls whose bytes no longer fit say so."""

MOST_PARTS = 200
"""Payloads of calls that stand in so many places of the table are looked for in each; of more, between the first and the last."""

READY_ZERO = 1 << 31
"""The column `ready` holds the moment the kernel was ready, from the call's start; it may lie before that."""

Cells = list[dict[str, Any]]


def pack_window(
    trace: Trace, run: Run, window: Window, *, payload: bool, ids: Sequence[int] | None = None,
    stretches: Sequence[Stretch] | None = None, cells: Cells | None = None,
) -> bytes:
    """Return a pack of the calls of a run that touch a window.

    Args:
        trace: an open trace.
        run: one of its runs.
        window: run time, ns.
        payload: whether the bytes that calls moved may leave the trace.
        ids: only these calls (None: all).
        stretches: besides, those that touch the window and stand in these stretches of ids.
        cells: time of the calls that are not in it, where there are too many to tell each (see cells.py).

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        return _Packing(trace, run, window, payload).pack(ids, stretches, cells)
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error


class _Packing:
    def __init__(self, trace: Trace, run: Run, window: Window, payload: bool) -> None:
        self.trace, self.run, self.window, self.payload = trace, run, window, payload
        self.reader = Reader(trace, run)
        words = trace.named("words_of_calls")
        self.operations = {row["id"]: (str(row["name"]), str(row["layer"])) for row in words if row["kind"] == "operation"}
        self.outcomes = {row["id"]: str(row["name"]) for row in words if row["kind"] == "outcome"}
        self.addresses = {row["id"]: str(row["name"]) for row in words if row["kind"] == "address"}
        self.shapes: dict[tuple[Any, ...], int] = {}
        self.sites: dict[int, int] = {}
        self.numbers: dict[str, list[int | None]] = {
            name: [] for name in ("id", "start", "duration", "shape", "asked", "result", "ready", "parent")}

    def pack(self, ids: Sequence[int] | None, stretches: Sequence[Stretch] | None, cells: Cells | None) -> bytes:
        """Return the pack."""
        self._take_calls(self._rows_of(ids, stretches))
        found = [id_ for id_ in self.numbers["id"] if id_ is not None]
        # Links and readiness are looked for between ids; where few calls were chosen of many, that would be most of the trace.
        first, last = (min(found), max(found)) if found else (0, -1)
        chosen = frozenset(found) if ids is not None else None
        parts = merged([(id_, id_) for id_ in found]) if chosen is not None else [(first, last)]
        payload_columns, rest = self._payloads(parts if len(parts) <= MOST_PARTS else [(first, last)], chosen)
        words = named_queries()["words_of_sites"]
        texts = {row["id"]: [row["file"] or "?", row["line"] or 0, row["function"] or "?", row["code"]] for row in self.trace.rows(words)}
        head = {
            "from": self.window.start_ns, "to": self.window.end_ns, "complete": cells is None, "cells": cells,
            "shapes": list(self.shapes), "sites": [texts.get(id_, ["?", 0, "?", None]) for id_ in self.sites],
            "folds": [] if cells is not None else self._folds(), "payloads_left_out": self.left_out,
        }
        deltas = {"id", "start"}
        columns = [Column(name, values, name in deltas) for name, values in self.numbers.items()]
        return pack(head, [*columns, *payload_columns, *self._relations(first, last, chosen)], rest)

    def _rows(self, name: str, **parameters: Any) -> Iterator[Any]:
        return self.trace.iterate(named_queries()[name], {"run": self.run.id, **parameters})

    def _rows_of(self, ids: Sequence[int] | None, stretches: Sequence[Stretch] | None) -> Iterable[Sequence[Any]]:
        """Return the rows of calls in the order of their start."""
        chosen = list(self._rows("page_chosen_calls", calls=json.dumps(list(ids)))) if ids is not None else []
        if ids is None and stretches is None:
            stretches = [Stretch(0, MAX_ID)]
        parts = [self._rows("page_calls", start=self.window.start_ns, end=self.window.end_ns, first=one.first, last=one.last,
                            every=one.threads is None, threads=json.dumps(one.threads or [])) for one in stretches or ()]
        if len(parts) + bool(chosen) <= 1:
            return parts[0] if parts else chosen
        return sorted({row[0]: row for part in (chosen, *parts) for row in part}.values(), key=lambda row: (row[5], row[0]))

    def _take_calls(self, rows: Iterable[Sequence[Any]]) -> None:
        shape_of = self._shape_of()
        append = [values.append for values in self.numbers.values()]
        for row in rows:
            (id_, thread, socket, operation, outcome, start, duration, asked, result, errno, flags, timeout, peer, parent, site, ready,
             source) = row
            kind = -1 if duration is None else duration >= BLOCKED_FROM_NS
            shape = shape_of((thread, socket, operation, outcome, kind, bool(result), errno, flags, timeout, peer, site,
                              None if ready is None else source))
            values = (id_, start, None if duration is None else max(0, duration), shape, asked, result,
                      None if ready is None else ready - start + READY_ZERO, parent)
            for add, value in zip(append, values, strict=True):
                add(value)

    def _shape_of(self) -> Callable[[tuple[Any, ...]], int]:
        """Return what gives the number of a call's shape; told apart by raw ids first, so that words are looked up once for each."""
        known: dict[tuple[Any, ...], int] = {}

        def shape_of(key: tuple[Any, ...]) -> int:
            found = known.get(key)
            if found is None:
                found = known[key] = self.shapes.setdefault(self._shape(key), len(self.shapes))
            return found

        return shape_of

    def _shape(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        thread, socket, operation_id, outcome_id, kind, result, errno, flags, timeout, peer, site, source = key
        operation, layer = self.operations.get(operation_id, ("?", "other"))
        outcome = None if kind == -1 else self.outcomes.get(outcome_id, "error")
        duration = None if kind == -1 else BLOCKED_FROM_NS if kind else 0
        named = class_of(operation, layer, outcome, duration, int(result), timeout)
        where = -1 if site is None else self.sites.setdefault(site, len(self.sites))
        return (thread, socket, operation, layer, outcome, KIND_INDEX[named], where, errno, flags, timeout,
                self.addresses.get(peer) if peer is not None else None, source)

    def _folds(self) -> list[list[Any]]:
        return [[fold.thread_id, fold.socket_id or 0, fold.operation, fold.site.short if fold.site else None, fold.first_ns, fold.last_ns,
                 fold.calls, fold.in_calls_ns] for fold in self.reader.folds(self.window)]

    def _payloads(self, parts: Sequence[tuple[int, int]], chosen: frozenset[int] | None) -> tuple[list[Column], bytes]:
        """Return the columns of payloads, and their bytes: equal ones once."""
        self.left_out = 0
        calls: list[int] = []
        sizes: list[int] = []
        places: list[int] = []
        lengths: list[int] = []
        known: dict[bytes, int] = {}
        kept: list[bytes] = []
        at = 0
        for first, last in parts if self.payload else ():
            for call_id, size, data in self._rows("page_payloads", first=first, last=last):
                if chosen is not None and call_id not in chosen:
                    continue
                data = data or b""
                place = known.get(data)
                if place is None:
                    if at + len(data) > PAYLOAD_BYTES:
                        self.left_out += 1
                        continue
                    place = known[data] = at
                    kept.append(data)
                    at += len(data)
                calls.append(call_id)
                sizes.append(size or 0)
                places.append(place)
                lengths.append(len(data))
        columns = [Column("payload_call", calls, True), Column("payload_size", sizes), Column("payload_at", places, True),
                   Column("payload_bytes", lengths)]
        return columns, b"".join(kept)

    def _relations(self, first: int, last: int, chosen: frozenset[int] | None) -> list[Column]:
        """Return the columns of links and of readiness."""
        kinds = ["readiness", "sent", "submitted", "completed", "wrapped"]
        links = [] if first > last else [
            (row[0], row[1], kinds.index(row[2]) if row[2] in kinds else len(kinds))
            for row in self.trace.iterate(named_queries()["page_links"], {"first": first, "last": last})
            if chosen is None or (row[0] in chosen and row[1] in chosen)]
        ready = [] if first > last else [
            tuple(row) for row in self.trace.iterate(named_queries()["page_readiness"], {"first": first, "last": last})
            if chosen is None or row[0] in chosen]
        return [
            Column("link_from", [link[0] for link in links], True), Column("link_to", [link[1] for link in links], True),
            Column("link_kind", [link[2] for link in links]),
            Column("ready_call", [row[0] for row in ready], True), Column("ready_socket", [row[1] for row in ready]),
            Column("ready_interest", [row[2] for row in ready]), Column("ready_events", [row[3] for row in ready])]
