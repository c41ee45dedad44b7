"""What the rules look at: a run's story, its evidence, and named queries on its calls.

Owns the reading, each part of it done once and only if a rule asks for it. Knows no rule.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ...traces import Run, Trace
from ...traces.report import blind_spots
from ..evidence import load_evidence
from ..naming import Evidence, RunModel, name_run
from ..reading import Reader
from ..story import load_story
from ..values import Exchange, Site, Story
from ..waits import Wait, find_waits
from ..words import brief

MOST = 200
"""So many rows of a query are looked at: enough to prove, few enough to read."""


class Material:
    """One run, read as rules need it.

    Args:
        trace: stays open and is the caller's to close.
        run: one of its runs.
    """

    def __init__(self, trace: Trace, run: Run) -> None:
        self.trace, self.run = trace, run
        self.reader = Reader(trace, run)

    @cached_property
    def story(self) -> Story:
        """The whole run; requests seen by the server where no client was watched, unless that would read millions of calls."""
        return load_story(self.trace, self.run, max_sockets=None, max_threads=None, requests=not self.is_large)

    @cached_property
    def is_large(self) -> bool:
        """Whether there are too many calls to gather the server's requests from them."""
        return sum(count.calls for count in self.reader.counts) > 2_000_000

    @cached_property
    def waits_unseen(self) -> bool:
        """Whether waits of this run went past the recorder (gevent, uvloop): time between calls is then neither work nor sleep."""
        return any("its waits" in spot for spot in blind_spots(self.run))

    @cached_property
    def evidence(self) -> Evidence:
        """What the calls show of the model."""
        return load_evidence(self.trace, self.run)

    @cached_property
    def model(self) -> RunModel:
        """The model that the run follows."""
        return name_run(self.evidence)

    @cached_property
    def waits(self) -> tuple[Wait, ...]:
        """Requests that were held up by somebody else."""
        return find_waits(self.story)

    @cached_property
    def exchanges(self) -> dict[tuple[str, int], Exchange]:
        """Each request, by its client and number."""
        return {(exchange.client, exchange.n): exchange for exchange in self.story.exchanges}

    @cached_property
    def sites(self) -> dict[int, Site]:
        """Places in the program by id."""
        rows = self.trace.named("words_of_sites")
        return {row["id"]: Site(row["file"] or "?", row["line"] or 0, row["function"] or "?", row["code"]) for row in rows}

    @cached_property
    def made_blocking_by_hand(self) -> set[int]:
        """Sockets on which the program called setblocking or settimeout."""
        if not self.calls_of("setblocking") + self.calls_of("settimeout"):
            return set()
        return {row["socket_id"] for row in self.named("explain_made_blocking")}

    def named(self, name: str, **parameters: Any) -> list[Any]:
        """Return the rows of a named query on this run."""
        return self.trace.named(name, run=self.run.id, **parameters)

    def rows_on(self, name: str, sockets: Sequence[int], **parameters: Any) -> list[Any]:
        """Return the rows of a named query on some sockets of this run."""
        return self.named(name, sockets=json.dumps(list(sockets)), **parameters)

    def calls_of(self, operation: str, outcome: str | None = None) -> int:
        """Return how many calls there were of an operation, and of one outcome where given."""
        return sum(count.calls for count in self.reader.counts
                   if count.operation == operation and outcome in (None, count.outcome))

    def calls_of_outcome(self, outcome: str) -> int:
        """Return how many calls came to an outcome."""
        return sum(count.calls for count in self.reader.counts if count.outcome == outcome)

    def socket_name(self, socket_id: int) -> str:
        """Return what to call a socket: its descriptor and whose it is."""
        return brief(self.story.names.get(socket_id, f"socket {socket_id}"))

    def site_of(self, call_id: int) -> Site | None:
        """Return where a call was made."""
        rows = self.named("explain_site", call=call_id)
        return self.sites.get(rows[0]["site_id"]) if rows else None
