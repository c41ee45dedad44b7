"""Rules about standing still: one connection that keeps others waiting, connections that block behind a polled listener, idle threads.

Knows who waited for whom; what a call waits for is in the story.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..language import count, say
from ..naming import Use
from ..spins import GAP_NS
from ..values import Exchange, Span
from ..waits import Wait
from ..words import brief, counted, duration, percent
from .finding import Finding
from .material import Material

IDLE_THREADS = 10
IDLE_SHARE = 0.9
STARVED_NS = 50_000_000


def half_blocking(material: Material) -> Iterator[Finding]:
    """The listener is nonblocking, its connections are not: Linux does not pass O_NONBLOCK on through accept."""
    evidence = material.evidence
    listeners = {id_ for id_, peer in evidence.sockets.items() if peer.role == "listener"}
    polled = [use for use in evidence.uses if use.socket_id in listeners and use.waits == "never" and use.operation == "accept"]
    if not polled:
        return
    acceptors = {use.thread_id for use in evidence.uses if use.socket_id in listeners}
    accepted = {id_ for id_, peer in evidence.sockets.items() if peer.role == "accepted"} - material.made_blocking_by_hand
    held = [use for use in evidence.uses if _can_hold(use) and use.thread_id in acceptors and use.socket_id in accepted]
    if not held:
        return
    blocked_ns = sum(use.blocked_ns for use in held)
    worst = max(held, key=lambda use: use.blocked_ns)
    polls = material.calls_of("accept", "would_block")
    empty = say("accept came back empty-handed {times}", times=counted(polls, "time")) if polls else say("accept could not wait")
    sockets = len({use.socket_id for use in held})
    stood = say("{time} passed in receives and sends that stood still, most of it in {operation} on {where}", time=duration(blocked_ns),
                operation=worst.operation, where=material.socket_name(worst.socket_id)) if blocked_ns else say(
                "no call on one has stood still for 8 ms yet, but each can")
    yield Finding(
        "half-blocking", say("Nonblocking listener, blocking connections"),
        say("The listener is nonblocking ({empty}), but {connections} can block: {stood}.", empty=empty,
            connections=counted(sockets, "accepted connection"), stood=stood),
        say("On Linux accept() does not pass O_NONBLOCK on to the socket it returns (on BSD and macOS it does). One client that "
            "stays silent stops the whole loop, and with it everybody else."),
        say("Call setblocking(False) on every accepted socket, or wait for it with select, poll or epoll before each recv. See "
            "accept(2), NOTES."),
        "serious", "waiting", blocked_ns, (worst.call_id, polled[0].call_id, *(use.call_id for use in held[:3])),
        material.site_of(worst.call_id))


def _can_hold(use: Use) -> bool:
    return use.waits == "forever" and use.operation.startswith(("recv", "send", "read", "write", "tls_"))


def held_up(material: Material) -> Iterator[Finding]:
    """Clients that were ready while the server stood still for somebody else, or was busy elsewhere."""
    by_cause: dict[tuple[str, str, int | None], list[Wait]] = defaultdict(list)
    # Who sleeps between polls is busy with nothing: another rule says so.
    sleeps = material.model.variant == "polling with sleeps"
    waits_told = [wait for wait in material.waits
                  if not (wait.how == "busy" and (sleeps or material.waits_unseen or _only_had_no_processor(material, wait)))]
    for wait in waits_told:
        by_cause[wait.how, wait.operation, wait.socket_id].append(wait)
    causes = sorted(by_cause.items(), key=lambda item: -sum(wait.held_ns for wait in item[1]))
    if not causes:
        return
    told = []
    for (how, operation, _), waits in causes[:3]:
        worst = waits[0]
        name, culprit = brief(worst.socket_name or ""), brief(worst.culprit or "")
        on = say(" on {where}", where=name) if name else ""
        of = say(" of {client}", client=culprit) if culprit and culprit not in name else ""
        doing = say("blocked in {call}", call=f"{operation}{on}{of}") if how == "blocked" else say(
            "busy after {call}", call=f"{operation or say('a call')}{on}{of}")
        clients = ", ".join(dict.fromkeys(brief(wait.client) for wait in waits[:3]))
        clients += say(" and others") if len(waits) > 3 else ""
        several = say(" ({requests}), the longest", requests=counted(len(waits), "request")) if len(waits) > 1 else ""
        told.append(say("while the server was {doing}, {clients} waited{several} {time}", doing=doing, clients=clients, several=several,
                        time=duration(worst.held_ns)))
    held_ns = sum(wait.held_ns for wait in waits_told)
    worst = waits_told[0]
    proof = [call.call_id for call in material.story.calls if _is_cause(call, worst)][:3]
    busy = causes[0][0][0] == "busy"
    yield Finding(
        "held-up", say("Ready clients kept waiting for somebody else"),
        count("{n} request was ready and had to wait, {time} in all: {told}.",
              "{n} requests were ready and had to wait, {time} in all: {told}.", len(waits_told), time=duration(held_ns),
              told=say("; ").join(told)),
        say("A thread serves one call at a time. Whoever else is ready waits until that call returns or that work is done."
            if not busy else "A thread that computes or sleeps between its socket calls serves nobody meanwhile."),
        say("Do not wait for a single connection: wait for all of them (selectors, asyncio), or give each a thread; move long work to a "
            "worker." if not busy else "Move long work out of the loop: a thread pool, a process, asyncio.to_thread."),
        "serious" if held_ns >= 100_000_000 else "notable", "waiting", held_ns, tuple(proof), worst.site)


def _only_had_no_processor(material: Material, wait: Wait) -> bool:
    """Whether a thread that seems to have been busy may as well have waited for a processor."""
    exchange = material.exchanges.get((wait.client, wait.n))
    if exchange is None or exchange.sent_ns is None:
        return False
    return wait.held_ns - _without_processor(material, exchange, exchange.sent_ns, exchange.sent_ns + wait.waited_ns) < GAP_NS


def _is_cause(call: Span, wait: Wait) -> bool:
    return call.socket_id == wait.socket_id and call.operation == wait.operation and call.duration_ns >= min(wait.held_ns, 1_000_000)


def accept_starved(material: Material) -> Iterator[Finding]:
    """Clients that had connected lay in the backlog, because nobody called accept."""
    late = []
    seen = set()
    for exchange in material.story.exchanges:
        row = material.reader.sockets.get(exchange.socket_id or 0)
        if row is None or exchange.connected_ns is None or row["opened_ns"] is None or exchange.socket_id in seen:
            continue
        seen.add(exchange.socket_id)
        waited_ns = row["opened_ns"] - exchange.connected_ns
        if waited_ns < STARVED_NS:
            continue
        if waited_ns - _without_processor(material, exchange, exchange.connected_ns, row["opened_ns"]) >= STARVED_NS:
            late.append((waited_ns, exchange.client, row["id"]))
    if not late or material.story.measured_by != "client":
        return
    late.sort(reverse=True)
    total_ns = sum(wait_ns for wait_ns, *_ in late)
    proof = [call.call_id for call in material.story.calls if call.operation == "accept" and call.result == late[0][2]]
    yield Finding(
        "accept-starved", say("Connections left in the backlog"),
        say("{clients} had connected and waited to be accepted, {client} for {time}.", clients=counted(len(late), "client"),
            client=brief(late[0][1]), time=duration(late[0][0])),
        say("The kernel completes a connection without the program and keeps it in the listener's queue (listen's backlog); its client "
            "believes that it is being served. Once the queue is full, further clients are not answered at all."),
        say("Accept as soon as the listener is readable, in a loop until it would block, and keep long work out of the accepting "
            "thread. See listen(2)."),
        "notable", "waiting", total_ns, tuple(proof[:2]), material.site_of(proof[0]) if proof else None)


def _without_processor(material: Material, exchange: Exchange, since_ns: int, until_ns: int) -> int:
    """Return how long, at most, the thread that serves a client was ready and had no processor: that is no fault of the program's."""
    if exchange.thread_id is None:
        return 0
    (row,) = material.named("delay_around", thread=exchange.thread_id, start=since_ns, end=until_ns)
    return int(row["delay_ns"])


def idle_threads(material: Material) -> Iterator[Finding]:
    """A thread for each client, most of them waiting for their client to speak."""
    if "per connection" not in material.model.variant:
        return
    rows = material.named("explain_busy_threads", end=material.reader.end_ns)
    idle = [row for row in rows if row["ns"] >= IDLE_SHARE * max(1, row["closed_ns"] - (row["opened_ns"] or 0))]
    if len(idle) < IDLE_THREADS:
        return
    forks = "process" in material.model.variant
    waited_ns = sum(row["ns"] for row in idle)
    life_ns = sum(row["closed_ns"] - (row["opened_ns"] or 0) for row in idle)
    yield Finding(
        "idle-threads", say("A process per idle client" if forks else "A thread per idle client"),
        say("{idle} of {all} processes that serve connections stood still for {share} of their connections' life, {time} in all."
            if forks else
            "{idle} of {all} threads that serve connections stood still for {share} of their connections' life, {time} in all.",
            idle=f"{len(idle):,}", all=f"{len(rows):,}", share=percent(min(1.0, waited_ns / max(1, life_ns))), time=duration(waited_ns)),
        say("A process costs memory (a stack, 8 MiB of address space by default) and a place in the scheduler, also while its client "
            "says nothing. It is the simplest server that serves everybody at once, and it ends at some thousands of clients."
            if forks else
            "A thread costs memory (a stack, 8 MiB of address space by default) and a place in the scheduler, also while its client "
            "says nothing. It is the simplest server that serves everybody at once, and it ends at some thousands of clients."),
        say("Fine for tens or hundreds of clients. For thousands that are mostly silent: epoll by selectors or asyncio, one thread "
            "for all."),
        "minor", "none", None, tuple(row["first_id"] for row in idle[:3]), material.site_of(idle[0]["first_id"]))
