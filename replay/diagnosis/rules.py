"""The rules, in the order in which a server is looked at, and their application to a run.

Owns the list. A rule is a function that takes the material and yields findings; its first line of docstring says what it looks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import getdoc

from ...traces import Run, Trace
from ...traces.report import blind_spots
from ..language import say
from ..reading import damaged
from ..words import counted
from .blocking import accept_starved, half_blocking, held_up, idle_threads
from .ended import ended_by_error
from .endings import forgotten_close, no_descriptors, partial_send
from .finding import SEVERITIES, Diagnosis, Finding
from .material import Material
from .polling import busy_polling, empty_reads, sleeping_poll, small_reads
from .readiness import edge_not_drained, select_limit, write_interest

Rule = Callable[[Material], Iterator[Finding]]

RULES: dict[str, Rule] = {
    "ended-by-error": ended_by_error,
    "half-blocking": half_blocking,
    "busy-polling": busy_polling,
    "sleeping-poll": sleeping_poll,
    "empty-reads": empty_reads,
    "held-up": held_up,
    "accept-starved": accept_starved,
    "edge-not-drained": edge_not_drained,
    "write-interest": write_interest,
    "partial-send": partial_send,
    "small-reads": small_reads,
    "forgotten-close": forgotten_close,
    "no-descriptors": no_descriptors,
    "idle-threads": idle_threads,
    "select-limit": select_limit,
}


_CONVERSING = ("listener", "accepted", "connected", "datagram", "pair")


def looks_for(name: str) -> str:
    """Return what a rule looks for, in one line."""
    return say((getdoc(RULES[name]) or "").partition("\n")[0])


def diagnose(trace: Trace, run: Run) -> Diagnosis:
    """Apply every rule to a run.

    Args:
        trace: an open trace.
        run: one of its runs.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        material, unseen = Material(trace, run), tuple(blind_spots(run))
        if run.calls_lost:
            unseen = (say("{calls} happened and could not be recorded", calls=counted(run.calls_lost, "call")), *unseen)
        if not material.story.facts.calls:
            return Diagnosis(None, (), (), unseen=unseen)
        connections = any(row["role"] in _CONVERSING for row in material.reader.sockets.values())
        found = [finding for rule in RULES.values() for finding in rule(material)]
        found.sort(key=lambda finding: (SEVERITIES.index(finding.severity), -(finding.cost_ns or 0)))
        untold = []
        if material.story.measured_by != "client":
            untold.append(("accept-starved", say("no client was watched: how long a connection lay in the backlog is not known")))
        if material.story.measured_by == "nobody":
            untold.append(("held-up", say("no client was watched, and there are too many calls to gather requests from them"
                                          if material.is_large else "no client was watched, and no request was seen")))
        passed = {name for name, _ in untold}
        looked_at = tuple((name, looks_for(name)) for name in RULES if name not in passed)
        return Diagnosis(material.model, tuple(found), looked_at, tuple(untold), unseen, connections)
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error
