"""Who waited for whom: requests that were ready while the server was held up by somebody else.

Owns how a wait is blamed on a call. Reads stories, no file; draws nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Literal

from .spins import GAP_NS
from .values import Exchange, Site, Span, Story

NOTABLE_NS = 1_000_000
"""Shorter hold-ups are not told: they are within what any server needs to get round to a request."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One request held up by another connection.

    Args:
        client, n: whose request, and which.
        waited_ns: from the question to its answer, or to the end where there was none.
        held_ns: how much of it the server was held up by this cause.
        how: blocked in a call; or busy outside of socket calls after one.
        operation, socket_id, site: that call.
        culprit: whose connection it was on; None for the listener or an unknown one.
    """

    client: str
    n: int
    waited_ns: int
    answered: bool
    held_ns: int
    how: Literal["blocked", "busy"]
    operation: str
    socket_id: int | None
    socket_name: str
    culprit: str | None
    site: Site | None


def find_waits(story: Story) -> tuple[Wait, ...]:
    """Return the requests of a story that were held up, the longest hold-up first; one cause a request, the worst.

    A request waits for somebody else while the thread that serves it is blocked in a call on another
    socket, or spends long outside of socket calls after one on another socket.
    """
    owners = {exchange.socket_id: exchange.client for exchange in story.exchanges if exchange.socket_id is not None}
    threads = _Threads(story)
    waits = []
    for exchange in story.exchanges:
        if exchange.sent_ns is None or exchange.n == 0 or (exchange.answered_ns is None and story.measured_by != "client"):
            continue
        end_ns = exchange.answered_ns if exchange.answered_ns is not None else _given_up(exchange, story)
        serving = threads.of(exchange)
        causes: dict[tuple[str, str, int | None, Site | None], int] = {}
        for how, span in threads.hold_ups(serving, exchange.sent_ns, end_ns):
            held_ns = min(span.ended_ns, end_ns) - max(span.started_ns, exchange.sent_ns)
            # A wait for readiness waits for this request, too: that it took long to return is nobody's fault.
            if held_ns > 0 and not (how == "blocked" and span.layer == "wait") and _is_foreign(span, exchange):
                key = (how, span.operation, span.socket_id, span.site)
                causes[key] = causes.get(key, 0) + held_ns
        if not causes:
            continue
        (how, operation, socket_id, site), held_ns = max(causes.items(), key=lambda item: item[1])
        if held_ns >= (GAP_NS if how == "busy" else NOTABLE_NS):
            waits.append(Wait(
                exchange.client, exchange.n, end_ns - exchange.sent_ns, exchange.answered_ns is not None, held_ns,
                "busy" if how == "busy" else "blocked", operation, socket_id, story.names.get(socket_id or 0, ""),
                owners.get(socket_id or 0), site))
    return tuple(sorted(waits, key=lambda wait: (-wait.held_ns, wait.client, wait.n)))


def _given_up(exchange: Exchange, story: Story) -> int:
    """Return when an unanswered client was gone: when the server closed its socket, else when the run ended."""
    assert exchange.sent_ns is not None
    return max(exchange.sent_ns, story.closings.get(exchange.socket_id or 0, story.end_ns))


def _is_foreign(span: Span, exchange: Exchange) -> bool:
    """Whether a call is somebody else's: on another socket, and not the accept that let this client in."""
    if span.socket_id is None or span.socket_id == exchange.socket_id:
        return False
    return not (span.operation == "accept" and span.result is not None and span.result == exchange.socket_id)


class _Threads:
    """Which thread serves whom, and where each was held up."""

    def __init__(self, story: Story) -> None:
        self._by_socket: dict[int, set[int]] = {}
        self._accepting: set[int] = set()
        self._hold_ups: dict[int, list[tuple[str, Span]]] = {}
        for call in story.calls:
            if call.socket_id is not None:
                self._by_socket.setdefault(call.socket_id, set()).add(call.thread_id)
            if call.operation == "accept":
                self._accepting.add(call.thread_id)
            if call.kind == "blocked":
                self._hold_ups.setdefault(call.thread_id, []).append(("blocked", call))
        for gap in story.gaps:
            self._hold_ups.setdefault(gap.thread_id, []).append(("busy", gap))
        self._only = {lane.id for lane in story.threads} if len(story.threads) == 1 else set()
        self._reach: dict[int, list[int]] = {}
        for thread, hold_ups in self._hold_ups.items():
            hold_ups.sort(key=lambda hold_up: hold_up[1].started_ns)
            # How far the hold-ups up to each one reach: never falls, so that those before a moment are found at once.
            self._reach[thread] = list(accumulate((span.ended_ns for _, span in hold_ups), max))

    def of(self, exchange: Exchange) -> Iterable[int]:
        """Return the threads that serve an exchange: the one that took it up, else those seen on its socket, else who accepts."""
        if exchange.thread_id is not None:
            return {exchange.thread_id}
        if exchange.socket_id is not None and exchange.socket_id in self._by_socket:
            return self._by_socket[exchange.socket_id]
        return self._only or (self._accepting if len(self._accepting) == 1 else set())

    def hold_ups(self, threads: Iterable[int], start_ns: int, end_ns: int) -> Iterator[tuple[str, Span]]:
        """Yield where threads were held up between two moments."""
        for thread in threads:
            hold_ups = self._hold_ups.get(thread, [])
            for how, span in islice(hold_ups, bisect_right(self._reach.get(thread, []), start_ns), None):
                if span.started_ns >= end_ns:
                    break
                if span.ended_ns > start_ns:
                    yield how, span
