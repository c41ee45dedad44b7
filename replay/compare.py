"""Two or more stories side by side: one axis, one table, and what they say in plain words.

Owns how runs are aligned and which figures are compared. Knows stories only: reads no file, draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .language import message
from .phases import Phases, phases_of
from .values import FAILED, CpuSplit, Exchange, Story, Usage, Window
from .waits import Wait, find_waits

MANY = 4
"""So many runs are told in brief: one lane, one row and one sentence for each."""

_OTHER_FAILURES = FAILED - {"reset", "interrupted", "cancelled"}
Align = Literal["clock", "exchange"]
Unit = Literal["ns", "calls", "share", "answers", "bytes"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: a value for each story, None where it is not known."""

    key: str
    name: str
    unit: Unit
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one client waited for its answers in one story; None where it had none."""

    answers: int
    asked: int
    median_ns: int | None
    p99_ns: int | None
    max_ns: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """The same client's n-th exchange in every story; None in those that lack it."""

    client: str
    n: int
    exchanges: tuple[Exchange | None, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Stories compared.

    Args:
        titles: a name for each story, all different.
        axis: the stretch of time that all are drawn over.
        offsets_ns: run time of each story at axis time 0.
        align: by the clock (run starts), or so that the first exchange they share falls together.
        anchor: that exchange, as (client, n).
        figures: the table, a row each.
        latencies: per client, one for each story.
        pairs: exchanges, aligned by client and number.
        waits: per story, who waited for whom.
        phases: per story, where its time went.
    """

    stories: tuple[Story, ...]
    titles: tuple[str, ...]
    axis: Window
    offsets_ns: tuple[int, ...]
    align: Align
    anchor: tuple[str, int] | None
    figures: tuple[Figure, ...]
    latencies: tuple[tuple[str, tuple[Latency, ...]], ...]
    pairs: tuple[Pair, ...]
    waits: tuple[tuple[Wait, ...], ...]
    phases: tuple[Phases, ...] = ()

    def window(self, index: int) -> Window:
        """Return what the axis covers of a story, in its own run time."""
        return Window(self.axis.start_ns + self.offsets_ns[index], self.axis.end_ns + self.offsets_ns[index])


def compare_stories(stories: Sequence[Story], titles: Sequence[str] | None = None, align: Align = "exchange") -> Comparison:
    """Return a comparison of stories.

    Args:
        stories: two or more, each of a whole run (one is allowed, and compared with nothing).
        titles: what to call them; their runs' names unless given. Doubles are numbered.
        align: exchange falls back to the clock where the stories have no exchange in common.
    """
    if not stories:
        raise ValueError("there is nothing to compare")
    pairs = _pairs(stories)
    offsets = [0] * len(stories)
    anchor, moments = _anchor(pairs)
    if align == "exchange" and anchor is not None:
        offsets = [moment_ns - max(moments) for moment_ns in moments]
    end_ns = max(story.end_ns - offset_ns for story, offset_ns in zip(stories, offsets, strict=True))
    return Comparison(
        stories=tuple(stories), titles=_titles(titles or [story.facts.name for story in stories]), axis=Window(0, end_ns),
        offsets_ns=tuple(offsets), align="exchange" if align == "exchange" and anchor is not None else "clock",
        anchor=(anchor.client, anchor.n) if align == "exchange" and anchor is not None else None, figures=_figures(stories),
        latencies=_latencies(stories, pairs), pairs=pairs, waits=tuple(find_waits(story) for story in stories),
        phases=tuple(phases_of(story) for story in stories))


def _anchor(pairs: Sequence[Pair]) -> tuple[Pair | None, list[int]]:
    """Return the first exchange that was asked in every story, and when it was in each."""
    for pair in pairs:
        moments = [exchange.sent_ns for exchange in pair.exchanges if exchange is not None and exchange.sent_ns is not None]
        if len(moments) == len(pair.exchanges):
            return pair, moments
    return None, []


def _titles(names: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    titles = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        titles.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(titles)


def _pairs(stories: Sequence[Story]) -> tuple[Pair, ...]:
    """Return exchanges aligned by client and number, in the order in which they were first asked."""
    tables = [{(exchange.client, exchange.n): exchange for exchange in story.exchanges if exchange.n > 0} for story in stories]
    keys = {key for table in tables for key in table}

    def asked(key: tuple[str, int]) -> tuple[int, str, int]:
        moments = [table[key].sent_ns or table[key].connected_ns or 0 for table in tables if key in table]
        return min(moments), *key

    return tuple(Pair(*key, tuple(table.get(key) for table in tables)) for key in sorted(keys, key=asked))


def latency_of(exchanges: Sequence[Exchange]) -> Latency:
    """Return the latency of some exchanges taken together (nearest rank; exact, not from bins)."""
    times = sorted(exchange.latency_ns for exchange in exchanges if exchange.latency_ns is not None and exchange.result in ("ok", "wrong"))
    if not times:
        return Latency(0, len(exchanges), None, None, None)

    def rank(percents: int) -> int:
        return times[max(0, -(-len(times) * percents // 100) - 1)]

    return Latency(len(times), len(exchanges), rank(50), rank(99), times[-1])


def _latencies(stories: Sequence[Story], pairs: Sequence[Pair]) -> tuple[tuple[str, tuple[Latency, ...]], ...]:
    clients = list(dict.fromkeys(pair.client for pair in pairs))
    by_client: list[dict[str, list[Exchange]]] = [{} for _ in stories]
    for table, story in zip(by_client, stories, strict=True):
        for exchange in story.exchanges:
            if exchange.n > 0:
                table.setdefault(exchange.client, []).append(exchange)
    return tuple((client, tuple(latency_of(table.get(client, [])) for table in by_client)) for client in clients)


def _figures(stories: Sequence[Story]) -> tuple[Figure, ...]:
    overall = {id(story): latency_of([exchange for exchange in story.exchanges if exchange.n > 0]) for story in stories}

    def outcomes(names: Callable[[str | None, str], bool]) -> Callable[[Story], float | None]:
        return lambda story: sum(count.calls for count in story.counts if names(count.outcome, count.layer))

    def ratio(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    def per_answer(story: Story) -> float | None:
        return ratio(story.cpu.ns, overall[id(story)].answers) if story.cpu else None

    def used(value: Callable[[Usage], int | None]) -> Callable[[Story], float | None]:
        return lambda story: value(story.usage) if story.usage else None

    def known(value: Callable[[CpuSplit], int | None]) -> Callable[[Story], float | None]:
        return lambda story: value(story.split) if story.split and story.split.total_ns is not None else None

    rows: list[tuple[str, str, Unit, Callable[[Story], float | None]]] = [
        ("duration", message("duration"), "ns", lambda story: story.end_ns),
        ("calls", message("calls"), "calls", lambda story: story.facts.calls),
        ("fruitless", message("fruitless calls"), "calls", lambda story: story.facts.fruitless),
        ("fruitless_share", message("share of calls"), "share", lambda story: ratio(story.facts.fruitless, story.facts.calls)),
        ("blocked", message("time blocked in calls"), "ns", lambda story: story.facts.blocked_ns),
        ("cpu", message("CPU time"), "ns", lambda story: story.cpu.ns if story.cpu else None),
        ("cpu_fruitless", message("of it in fruitless calls"), "ns", known(lambda parts: parts.fruitless_ns)),
        ("cpu_useful", message("of it in other calls"), "ns", known(lambda parts: parts.useful_ns)),
        ("cpu_elsewhere", message("of it elsewhere"), "ns", known(lambda parts: parts.elsewhere_ns)),
        ("answers", message("exchanges answered"), "answers",
         lambda story: overall[id(story)].answers if overall[id(story)].asked else None),
        ("cpu_per_answer", message("CPU per exchange"), "ns", per_answer),
        ("median", message("answer latency, median"), "ns", lambda story: overall[id(story)].median_ns),
        ("p99", message("answer latency, p99"), "ns", lambda story: overall[id(story)].p99_ns),
        ("switches", message("gave up the CPU to wait"), "calls", used(lambda usage: usage.voluntary_switches)),
        ("preempted", message("was taken off the CPU"), "calls", used(lambda usage: usage.involuntary_switches)),
        ("memory", message("memory, most"), "bytes", used(lambda usage: usage.peak_rss_bytes)),
        ("eofs", message("ends of stream"), "calls", outcomes(lambda outcome, _: outcome == "eof")),
        ("resets", message("resets"), "calls", outcomes(lambda outcome, _: outcome == "reset")),
        ("errors", message("other failed calls"), "calls",
         outcomes(lambda outcome, layer: outcome in _OTHER_FAILURES and not (layer == "wait" and outcome == "timeout"))),
        ("unfinished", message("calls that never returned"), "calls", outcomes(lambda outcome, _: outcome is None)),
        ("call_cost", message("recording one call"), "ns", lambda story: story.facts.call_cost_ns),
        ("recording_share", message("recording, share of CPU"), "share", lambda story: story.recording_share),
        ("lost", message("calls not recorded"), "calls", lambda story: story.facts.lost),
    ]
    return tuple(Figure(key, name, unit, tuple(value(story) for story in stories)) for key, name, unit, value in rows)
