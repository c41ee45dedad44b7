"""One receive of a run, with everything around it that a figure of it needs.

Owns which receive is the most instructive one, and what belongs to it: the polls, the wait, the signal or the
request that it came by, who sent the data, and when the kernel had it. Reads through the trace given, draws nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..traces import Run, Trace
from .finding import ReplayError
from .queue import filled_ns, load_queues
from .reading import Reader, damaged
from .story import socket_name
from .values import Delivery, Level, Span, Window

RECEIVES = ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "read", "readv", "tls_recv", "ring_recv")
ACCEPTS = ("accept", "ring_accept")
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Polls:
    """Calls on the socket that found nothing before the one that got something.

    Args:
        calls, ns: how many, and the time in them.
        first, last: the first and the last that have rows of their own.
        others: polls of other sockets in between.
    """

    calls: int
    ns: int
    first: Span
    last: Span
    others: int


@dataclass(frozen=True, slots=True)
class Receive:
    """A receive (or an accept) and what led to it. All times in run time (ns).

    Args:
        call: it.
        run, socket, kind: names of the run and of the socket, and the latter's kind (tcp, udp, unix ...).
        ready_source: how `call.ready_ns` is known: kernel, packet, sender; None where it is not.
        client, n, sent_ns: who asked for it and when the first byte was handed to the kernel, where a workload knows.
        polls: questions before it, on the same socket and by the same thread.
        wait: the select, poll or epoll_wait that reported the socket; `served_first` calls on others came between,
            `other_waits` ended for others since the socket was last read.
        signal, armed: the signal that it served, and the call that had asked for signals.
        submitted_by, completed_by: calls on the ring that handed it in, and that took its completion.
        queue: bytes in the socket's receive buffer, where that is known.
        payload: the first bytes it moved.
    """

    call: Span
    run: str
    socket: str
    kind: str
    ready_source: str | None = None
    client: str | None = None
    n: int | None = None
    sent_ns: int | None = None
    polls: Polls | None = None
    wait: Span | None = None
    served_first: int = 0
    other_waits: int = 0
    signal: Delivery | None = None
    armed: Span | None = None
    pause: Span | None = None
    submitted_by: Span | None = None
    completed_by: Span | None = None
    queue: tuple[Level, ...] = ()
    payload: bytes | None = None

    @property
    def accepts(self) -> bool:
        """Whether it waited for a connection."""
        return self.call.operation in ACCEPTS


def load_receive(trace: Trace, run: Run, call_id: int | None = None, exchange: int | None = None) -> Receive:
    """Return a receive of a run.

    Args:
        call_id: that one; a poll or a wait stands for the receive that it led to.
        exchange: the one that took up the run's n-th exchange, in the order of time, from 1. Neither: one that waited long.

    Raises:
        ReplayError: there is no such receive.
        TraceError: the trace is damaged.
    """
    try:
        found = _Search(trace, run)
        if call_id is not None:
            id_ = found.led_to(call_id)
        elif exchange is not None:
            id_ = found.of_exchange(exchange)
        else:
            id_ = found.longest()
        return _Gathering(found, found.span(id_)).receive()
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(trace, error) from error


class _Search:
    """Finds the call that a figure is about."""

    def __init__(self, trace: Trace, run: Run) -> None:
        self.trace, self.run = trace, run
        self.reader = Reader(trace, run)

    def named(self, name: str, **parameters: Any) -> list[Any]:
        return self.trace.named(name, run=self.run.id, **parameters)

    def span(self, id_: int) -> Span:
        found = self.reader.calls_by_id([id_])
        if id_ not in found:
            raise ReplayError(f"{self.run.name} has no call {id_}")
        return found[id_]

    def longest(self) -> int:
        """Return the receive that waited longest, one whose ready time is known before all others; else such an accept."""
        for operations in (RECEIVES, ACCEPTS):
            rows = self.named("figure_receives", operations=json.dumps(operations), most=_MOST)
            last: dict[int, int] = {}
            best: tuple[tuple[bool, int], int] | None = None
            for row in rows:
                begun_ns = last.get(row["socket_id"], row["opened_ns"] or 0)
                last[row["socket_id"]] = row["started_ns"] + row["duration_ns"]
                score = row["ready_ns"] is not None, _waited_ns(row, begun_ns)
                if best is None or score > best[0]:
                    best = score, row["id"]
            if best is not None:
                return best[1]
        raise ReplayError(f"no call of {self.run.name} received anything: there is no figure to draw of it")

    def led_to(self, id_: int) -> int:
        """Return the receive that a call led to: itself, the one after its polls, or the one that a wait reported."""
        call = self.span(id_)
        if call.operation in (*RECEIVES, *ACCEPTS):
            if call.kind != "fruitless":
                return id_
            operations = ACCEPTS if call.operation in ACCEPTS else RECEIVES
            rows = self.named("figure_after", call=id_, socket=call.socket_id, operations=json.dumps(operations))
            if rows:
                return int(rows[0]["id"])
            raise ReplayError(f"call {id_} found nothing, and nothing ever came after it on its socket")
        links = [row["to_call_id"] for row in self.named("figure_links", call=id_)
                 if row["from_call_id"] == id_ and row["kind"] in ("readiness", "completed", "submitted")]
        spans = self.reader.calls_by_id(links)
        for link in links:
            if link in spans and spans[link].operation in (*RECEIVES, *ACCEPTS):
                return int(link)
        raise ReplayError(f"call {id_} is {call.operation}: a figure shows how a receive or an accept came by what it got")

    def of_exchange(self, number: int) -> int:
        """Return the receive that took up the n-th exchange."""
        rows = self.named("figure_exchanges")
        if rows:
            if not 1 <= number <= len(rows):
                raise ReplayError(f"{self.run.name} has {len(rows)} exchanges: name one from 1 to {len(rows)}")
            row = rows[number - 1]
            if row["first_call_id"] is None:
                raise ReplayError(f"the server never took up exchange {number} ({row['client']}'s): there is no receive to draw")
            return self._first_receive(row["first_call_id"], row["socket_id"])
        requests = sorted(self.named("requests_of_run"), key=lambda row: row["started_ns"] or 0)
        if not 1 <= number <= len(requests):
            raise ReplayError(f"{self.run.name} has {len(requests)} requests: " + (
                f"name one from 1 to {len(requests)}" if requests else "no call of it received anything"))
        receives = self.named("figure_receives", operations=json.dumps(RECEIVES), most=_MOST)
        chosen = requests[number - 1]
        for row in receives:
            if row["socket_id"] == chosen["socket_id"] and row["started_ns"] >= chosen["first_receive_ns"]:
                return int(row["id"])
        raise ReplayError(f"the receive of request {number} is not among the first {_MOST:,} of the run: name it with --call")

    def _first_receive(self, first_id: int, socket_id: int | None) -> int:
        call = self.span(first_id)
        socket_id = call.socket_id if socket_id is None else socket_id
        rows = self.named("figure_after", call=first_id, socket=socket_id, operations=json.dumps(RECEIVES))
        return int(rows[0]["id"]) if rows else self.led_to(first_id)


def _waited_ns(row: Any, begun_ns: int) -> int:
    if row["layer"] == "ring" or (row["waited_ns"] is None and row["paused_ns"] is None and row["timeout_ns"] != 0):
        return int(row["duration_ns"])
    return int(row["waited_ns"] or row["paused_ns"] or max(0, row["started_ns"] - begun_ns))


class _Gathering:
    """Gathers what belongs to one receive."""

    def __init__(self, search: _Search, call: Span) -> None:
        self.search, self.reader, self.named, self.call = search, search.reader, search.named, call
        self.operations: Sequence[str] = ACCEPTS if call.operation in ACCEPTS else RECEIVES

    def receive(self) -> Receive:
        call = self.call
        row = self.reader.sockets.get(call.socket_id or 0)
        raw = self.named("figure_calls", calls=json.dumps([call.call_id]))[0]
        links = self.named("figure_links", call=call.call_id)
        wait = self._wait(links)
        before = self._before(wait)
        client, n, sent_ns = self._client(before)
        around = self._around(wait, before)
        signal = self._signal()
        armed = self._one("figure_armed") if signal is not None else None
        moved = self.reader.payloads([call.call_id]).get(call.call_id)
        socket_id = call.socket_id or 0
        queue = load_queues(self.search.trace, self.search.run, (socket_id,)).get(socket_id, ())
        exchanges, _ = self.reader.exchanges(requests=False)
        owner = next((found.client for found in exchanges if found.socket_id == call.socket_id), None)
        source = raw["ready_source"] if call.ready_ns is not None else None
        if call.ready_ns is None and call.outcome == "ok" and self.operations is RECEIVES:
            # Requests on a ring are not joined to their packets, but these tell when the buffer was no longer empty.
            call = replace(call, ready_ns=filled_ns(queue, before.ended_ns if before else 0, call.ended_ns))
            source = "packet" if call.ready_ns is not None else None
        name, kind = (socket_name(row, owner), str(row["kind"] or "")) if row is not None else ("", "")
        return Receive(
            call, self.search.run.name, name, kind,
            ready_source=source, client=client, n=n, sent_ns=sent_ns, polls=self._polls(before), wait=wait,
            served_first=around[0], other_waits=around[1], signal=signal, armed=armed, pause=self._pause(),
            submitted_by=self._linked(links, "submitted"), completed_by=self._linked(links, "completed"),
            queue=queue,
            payload=moved[1] if moved else None)

    def _linked(self, links: Sequence[Any], kind: str) -> Span | None:
        ids = [row["from_call_id"] for row in links if row["to_call_id"] == self.call.call_id and row["kind"] == kind]
        spans = self.reader.calls_by_id(ids)
        return spans[max(spans)] if spans else None

    def _wait(self, links: Sequence[Any]) -> Span | None:
        """Return the wait that reported the socket: the one that is linked, or for a later receive the one that reported it last."""
        found = self._linked(links, "readiness")
        if found is None and self.call.layer != "ring" and self.call.kind != "blocked":
            found = self._one("figure_report", thread=self.call.thread_id)
        return found

    def _one(self, query: str, **parameters: Any) -> Span | None:
        rows = self.named(query, call=self.call.call_id, socket=self.call.socket_id, **parameters)
        return self.reader.calls_by_id([rows[0]["id"]]).get(rows[0]["id"]) if rows and rows[0]["id"] is not None else None

    def _before(self, wait: Span | None) -> Span | None:
        """Return the last receive on the socket before this one that was more than a poll."""
        found = self._one("figure_before", operations=json.dumps(self.operations))
        return None if found is not None and found.ended_ns > self.call.ended_ns else found

    def _polls(self, before: Span | None) -> Polls | None:
        call = self.call
        if call.timeout_ns != 0 or call.layer == "ring":
            return None
        # What lies between: folded calls have no ids, so they are found by time.
        begun_ns = before.ended_ns if before else 0
        row = self.named("figure_polls", first=before.call_id if before else 0, last=call.call_id, socket=call.socket_id,
                         thread=call.thread_id, operations=json.dumps(self.operations))[0]
        if not row["calls"]:
            return None
        folds = [fold for fold in self.reader.folds(Window(begun_ns, call.started_ns)) if fold.thread_id == call.thread_id]
        mine = [fold for fold in folds if fold.socket_id == call.socket_id and fold.operation in self.operations]
        spans = self.reader.calls_by_id([row["first_id"], row["last_id"]])
        others = row["others"] + sum(fold.calls for fold in folds) - sum(fold.calls for fold in mine)
        return Polls(row["calls"] + sum(fold.calls for fold in mine), row["ns"] + sum(fold.in_calls_ns for fold in mine),
                     spans[row["first_id"]], spans[row["last_id"]], others)

    def _around(self, wait: Span | None, before: Span | None) -> tuple[int, int]:
        """Return calls on others between the wait and the receive, and waits that ended for others since the last receive."""
        if wait is None:
            return 0, 0
        common = {"socket": self.call.socket_id, "thread": self.call.thread_id}
        after = self.named("figure_between", first=wait.call_id, last=self.call.call_id, **common)[0]
        since = before.call_id if before and before.call_id < wait.call_id else wait.call_id
        return after["others"], self.named("figure_between", first=since, last=wait.call_id, **common)[0]["waits"]

    def _signal(self) -> Delivery | None:
        """Return the signal whose handler made the call, or that a wait for signals had just brought."""
        if self.call.layer == "ring":
            return None
        rows = self.named("figure_signal", thread=self.call.thread_id, at=self.call.started_ns)
        if not rows or self._one("figure_armed") is None:
            return None
        return Delivery(**dict(rows[0]))

    def _pause(self) -> Span | None:
        """Return the wait that the call ran inside: of a signal's handler."""
        parent = self.call.parent_id
        found = self.reader.calls_by_id([parent]).get(parent) if parent is not None else None
        return found if found is not None and found.layer == "wait" else None

    def _client(self, before: Span | None) -> tuple[str | None, int | None, int | None]:
        """Return who sent what was received, where a workload's exchange begins with it."""
        for row in self.named("figure_exchanges"):
            if row["sent_ns"] is None or row["first_call_id"] is None or row["socket_id"] not in (None, self.call.socket_id):
                continue
            if self.call.operation in ACCEPTS:
                break
            fits = row["first_call_id"] <= self.call.call_id <= (row["last_call_id"] or row["first_call_id"])
            if fits and (before is None or before.ended_ns <= row["sent_ns"]) and row["sent_ns"] <= self.call.ended_ns:
                return row["client"], row["n"], row["sent_ns"]
        return None, None, None
