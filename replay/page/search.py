"""Calls that somebody looks for, found in the trace: for a page that is served.

Owns what a search of the page means where the calls are not in the page; model.js (Filter) says the same where they are.
Words are looked into once for each operation, socket, line and so on; SQLite then finds the calls that have them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from ...traces import Run, Trace, named_queries
from ..arguments import errno_name
from ..reading import MAX_ID, Reader, damaged
from ..values import KINDS, Window, class_of
from .calls import pack_window
from .document import socket_names
from .packing import pack

MOST = 1_000
"""A search returns the first of so many calls."""
_NO_TIME = Window(0, 1)
_ERRNOS = range(1, 134)


def find_calls(trace: Trace, run: Run, asked: Mapping[str, str], *, payload: bool) -> bytes:
    """Return a pack of the first calls of a run that are meant.

    Args:
        asked: text, operation, outcome, socket (its name), kind; what is missing or empty is not asked for.
        payload: whether text is looked for in what calls moved, too.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        text = asked.get("text", "").strip()
        ids = [int(text[1:])] if re.fullmatch(r"#\d{1,18}", text) else _Search(trace, run, asked, text, payload).ids()
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error
    return pack_window(trace, run, _NO_TIME, payload=payload, ids=ids)


class _Search:
    def __init__(self, trace: Trace, run: Run, asked: Mapping[str, str], text: str, payload: bool) -> None:
        self.trace, self.run, self.asked, self.text, self.payload = trace, run, asked, text, payload
        self.reader = Reader(trace, run)
        words = trace.named("words_of_calls")
        self.operations = {row["id"]: (str(row["name"]), str(row["layer"])) for row in words if row["kind"] == "operation"}
        self.outcomes = {0: "unfinished", **{row["id"]: str(row["name"]) for row in words if row["kind"] == "outcome"}}
        self.addresses = {row["id"]: str(row["name"]) for row in words if row["kind"] == "address"}
        self.names = socket_names(self.reader)
        small = text.lower()
        self.kinds = {kind for kind in KINDS if small and small in kind}
        self.everything = not text or bool(self.kinds) or small in run.name.lower()

    def ids(self) -> list[int]:
        """Return the ids of the first calls that are meant."""
        extent = self.reader.extent
        parameters = {"run": self.run.id, "first": extent.first_id if extent.has_levels else 0, "last": MAX_ID,
                      "everything": self.everything, **self._chosen(), **self._spoken_of()}
        whole = self.text.lower() in self.run.name.lower()
        kind = self.asked.get("kind")
        found = (
            row["id"] for row in self.trace.iterate(named_queries()["page_find"], parameters)
            if (not kind or self._kind(row) == kind) and (not self.text or whole or row["said"] or self._kind(row) in self.kinds))
        return list(islice(found, MOST))

    def _kind(self, row: Any) -> str:
        operation, layer = self.operations.get(row["operation_id"], ("?", "other"))
        outcome = None if row["duration_ns"] is None else self.outcomes.get(row["outcome_id"], "error")
        return class_of(operation, layer, outcome, row["duration_ns"], row["result"], row["timeout_ns"])

    def _chosen(self) -> dict[str, str | None]:
        """Return the ids that the choices stand for; None where there is no choice."""
        operation, outcome, socket = (self.asked.get(name) for name in ("operation", "outcome", "socket"))
        return {
            "operations": json.dumps([id_ for id_, (name, _) in self.operations.items() if name == operation]) if operation else None,
            "outcomes": json.dumps([id_ for id_, name in self.outcomes.items() if name == outcome]) if outcome else None,
            "sockets": json.dumps([id_ for id_, name in self.names.items() if name == socket]) if socket else None}

    def _spoken_of(self) -> dict[str, str]:
        """Return the ids of operations, sockets and so on in whose words the text is."""
        text = self.text.lower()

        def holding(words: Mapping[int, str]) -> str:
            return json.dumps([id_ for id_, said in words.items() if text and text in said.lower()])

        sockets = {id_: "\n".join(str(word) for word in (self.names[id_], row["local"], row["peer"], row["role"]) if word)
                   for id_, row in self.reader.sockets.items()}
        sites = {row["id"]: ":".join(str(row[name] or "") for name in ("file", "line", "function", "code"))
                 for row in self.trace.named("words_of_sites")}
        moved = self.trace.named("page_payloads_with", run=self.run.id, bytes=self.text.encode()) if text and self.payload else []
        return {
            "in_operations": holding({id_: "\n".join(names) for id_, names in self.operations.items()}),
            "in_outcomes": holding(self.outcomes), "in_sockets": holding(sockets), "in_sites": holding(sites),
            "in_threads": holding({id_: thread.name for id_, thread in self.reader.threads.items()}),
            "in_peers": holding(self.addresses), "in_errnos": holding({number: f"{number} {errno_name(number)}" for number in _ERRNOS}),
            "in_calls": json.dumps([row["call_id"] for row in moved])}


def pack_call(trace: Trace, run: Run, call_id: int) -> bytes:
    """Return a pack that says when a call began; its head holds `started` (ns), None where the run has no such call."""
    if not 0 <= call_id <= MAX_ID:
        return pack({"started": None})
    rows = trace.named("page_call", run=run.id, call=call_id)
    return pack({"started": rows[0]["started_ns"] if rows else None})
