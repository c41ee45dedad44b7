"""Stories and comparisons as plain data for JSON.

Owns the names of its keys, which other programs rely on. Draws nothing.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .compare import Comparison
from .naming import RunModel
from .sentences import sentences
from .values import KINDS, Lane, Span, Story


def story_json(story: Story) -> dict[str, Any]:
    """Return a story as dictionaries and lists; all times are nanoseconds since the run's start."""
    facts = asdict(story.facts)
    return {
        "run": {**facts, "command": list(story.facts.command), "blind_spots": list(story.facts.blind_spots)},
        "end_ns": story.end_ns,
        "window": asdict(story.window),
        "threads": [_lane(lane) for lane in story.threads],
        "sockets": [_lane(lane) for lane in story.sockets],
        "threads_left_out": story.more_threads,
        "sockets_left_out": story.more_sockets,
        "calls_complete": story.complete,
        "long_calls_left_out": story.more_calls,
        "calls": [_span(span) for span in story.calls],
        "signals": [asdict(signal) for signal in story.signals],
        "sockets_hidden": story.hidden_sockets,
        "spins": [asdict(spin) for spin in story.spins],
        "exchanges": [{**asdict(exchange), "latency_ns": exchange.latency_ns} for exchange in story.exchanges],
        "exchanges_measured_by": story.measured_by,
        "counts": [asdict(count) for count in story.counts],
        "cpu": asdict(story.cpu) if story.cpu else None,
        "cpu_split": asdict(story.split) if story.split else None,
        "model": model_json(story.model),
        "queues": {id_: [asdict(level) for level in told] for id_, told in story.queues.items()},
        "usage": asdict(story.usage) if story.usage else None,
    }


def model_json(model: RunModel | None) -> dict[str, Any] | None:
    """Return the model of a run and of each of its sockets, with the calls that prove it; None where none was sought."""
    if model is None:
        return None
    return {**asdict(model), "name": model.name, "posix": model.posix, "popular": model.popular}


def _lane(lane: Lane) -> dict[str, Any]:
    known = {key: getattr(lane, key) for key in (
        "id", "name", "fd", "role", "local", "peer", "parent_id", "opened_ns", "closed_ns", "closed_by")}
    return {
        **(known if lane.kind == "socket" else {"id": lane.id, "name": lane.name}),
        "calls": dict(zip(KINDS, lane.calls, strict=True)),
        "ns": dict(zip(KINDS, lane.ns, strict=True)),
        "bytes": lane.bytes,
        "cells": [{"start_ns": cell.start_ns, "end_ns": cell.end_ns, "ns": list(cell.ns), "calls": list(cell.calls), "bytes": cell.bytes}
                  for cell in lane.cells],
        "spans": [span.call_id for span in lane.spans],
        "marks": [asdict(mark) for mark in lane.marks],
    }


def _span(span: Span) -> dict[str, Any]:
    return {**asdict(span), "unfinished": span.unfinished, "wait_ns": span.wait_ns, "copy_ns": span.copy_ns, "sat_ns": span.sat_ns}


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as dictionaries and lists: the table, who waited for whom, the sentences, and each story."""
    return {
        "runs": list(comparison.titles),
        "align": comparison.align,
        "anchor": None if comparison.anchor is None else {"client": comparison.anchor[0], "n": comparison.anchor[1]},
        "axis": asdict(comparison.axis),
        "offsets_ns": list(comparison.offsets_ns),
        "figures": {figure.key: dict(zip(comparison.titles, figure.values, strict=True)) for figure in comparison.figures},
        "latencies": {client: {title: asdict(latency) for title, latency in zip(comparison.titles, latencies, strict=True)}
                      for client, latencies in comparison.latencies},
        "exchanges": [{"client": pair.client, "n": pair.n,
                       "latency_ns": {title: exchange.latency_ns if exchange else None
                                      for title, exchange in zip(comparison.titles, pair.exchanges, strict=True)}}
                      for pair in comparison.pairs],
        "waits": {title: [asdict(wait) for wait in waits] for title, waits in zip(comparison.titles, comparison.waits, strict=True)},
        "phases": {title: {**asdict(phases), "wait_ns": phases.wait_ns, "copy_ns": phases.copy_ns, "program_ns": phases.program_ns}
                   for title, phases in zip(comparison.titles, comparison.phases, strict=True)},
        "sentences": list(sentences(comparison)),
        "stories": [story_json(story) for story in comparison.stories],
    }
