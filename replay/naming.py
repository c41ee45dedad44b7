"""Which I/O model a socket, and a run, is seen to follow: decided by its calls, each decision with the calls that prove it.

Owns the rules. Knows what was done on which socket (evidence.py reads that), no file and no picture.

POSIX decides by the copy (W. R. Stevens, UNIX Network Programming, 6.2): where the call that moves
the data returns only when it is done, I/O is synchronous, however the waiting was arranged. Many books and most frameworks call
everything asynchronous that does not block while it waits: that name is given beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Waits = Literal["forever", "limited", "never"]
ModelName = Literal["blocking", "nonblocking", "multiplexing", "signal-driven", "asynchronous", "unknown"]

SERVING = ("accepted", "connected", "datagram", "pair")
WAITING = ("accept", "recv", "send", "connect", "read", "write", "tls_")
SLEEP_NS = 500_000
"""A pause of this length between two polls is a sleep: a loop that only polls takes microseconds."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one thread did on one socket: calls of one kind, whether they could wait, and one of them."""

    thread_id: int
    socket_id: int
    operation: str
    layer: str
    waits: Waits
    fruitless: bool
    calls: int
    blocked_ns: int
    call_id: int


@dataclass(frozen=True, slots=True)
class Watch:
    """A socket that was watched for readiness.

    Args:
        how: select, poll or epoll.
        edge, oneshot: asked for so at least once (epoll).
    """

    socket_id: int
    how: str
    edge: bool
    oneshot: bool
    call_id: int


@dataclass(frozen=True, slots=True)
class Peer:
    """As much of a socket as its model needs."""

    id: int
    role: str
    process_id: int
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run's calls show.

    Args:
        threads: thread -> process.
        armed: sockets for which a signal was asked for (O_ASYNC) -> a call that did.
        submitted: sockets with requests on a ring -> one of them.
        slept: threads that paused between polls -> the call before a pause.
        asyncio: processes in which an event loop of asyncio woke itself through a socket pair of its own.
    """

    sockets: Mapping[int, Peer]
    threads: Mapping[int, int]
    uses: Sequence[Use] = ()
    watches: Sequence[Watch] = ()
    armed: Mapping[int, int] | None = None
    submitted: Mapping[int, int] | None = None
    slept: Mapping[int, int] | None = None
    asyncio: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class SocketModel:
    """The model of one socket: its name, how exactly, and calls that prove it."""

    socket_id: int
    model: ModelName
    variant: str
    proof: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RunModel:
    """The model of a run.

    Args:
        model, variant: of the sockets that served, most of them.
        listener: how connections were waited for, where that differs.
        sockets: each socket's own.
        proof: calls that prove the whole.
    """

    model: ModelName
    variant: str
    listener: str
    sockets: tuple[SocketModel, ...]
    proof: tuple[int, ...]

    @property
    def name(self) -> str:
        """Model and variant, as people say it."""
        return f"{self.model} ({self.variant})" if self.variant else self.model

    @property
    def posix(self) -> str:
        """What POSIX calls it; "" where nothing was seen."""
        return {"unknown": "", "asynchronous": "asynchronous"}.get(self.model, "synchronous")

    @property
    def popular(self) -> str:
        """What textbooks that look at the waiting call it."""
        return {
            "blocking": "synchronous blocking", "nonblocking": "synchronous nonblocking", "multiplexing": "asynchronous blocking",
            "signal-driven": "asynchronous nonblocking", "asynchronous": "asynchronous nonblocking", "unknown": "",
        }[self.model]


def name_socket(socket_id: int, evidence: Evidence) -> SocketModel:
    """Return the model of one socket: of two that fit, the one that takes more than plain calls.

    Args:
        socket_id: one of `evidence.sockets`.
    """
    uses = [use for use in evidence.uses if use.socket_id == socket_id and (use.operation.startswith(WAITING) or use.layer == "ring")]
    watches = [watch for watch in evidence.watches if watch.socket_id == socket_id]
    if evidence.submitted and socket_id in evidence.submitted:
        return SocketModel(socket_id, "asynchronous", "io_uring", (evidence.submitted[socket_id],))
    if evidence.armed and socket_id in evidence.armed:
        return SocketModel(socket_id, "signal-driven", "SIGIO", (evidence.armed[socket_id], *(use.call_id for use in uses[:1])))
    waits = {use.waits for use in uses}
    if watches:
        proof = (*(watch.call_id for watch in watches[:2]), *(use.call_id for use in uses[:1]))
        copying = "" if not waits or waits == {"never"} else ", blocking calls"
        return SocketModel(socket_id, "multiplexing", _watched(watches) + copying, proof)
    polls = [use for use in uses if use.waits == "never"]
    if polls:
        slept = [evidence.slept[use.thread_id] for use in polls if evidence.slept and use.thread_id in evidence.slept]
        fruitless = [use.call_id for use in polls if use.fruitless]
        variant = "polling with sleeps" if slept and fruitless else "polling" if fruitless else "never had to wait"
        return SocketModel(socket_id, "nonblocking", variant, tuple([*fruitless[:1], *slept[:1]] or [polls[0].call_id]))
    if uses:
        variant = "with a timeout" if "limited" in waits and "forever" not in waits else ""
        longest = max(uses, key=lambda use: use.blocked_ns)
        return SocketModel(socket_id, "blocking", variant, (longest.call_id,))
    return SocketModel(socket_id, "unknown", "", ())


def _watched(watches: Sequence[Watch]) -> str:
    hows = list(dict.fromkeys(watch.how for watch in watches))
    if "epoll" not in hows:
        return " and ".join(hows)
    edge, oneshot = any(watch.edge for watch in watches), any(watch.oneshot for watch in watches)
    trigger = ("edge-triggered" if edge else "level-triggered") + (", one-shot" if oneshot else "")
    return " and ".join([*(how for how in hows if how != "epoll"), f"epoll, {trigger}"])


def name_run(evidence: Evidence) -> RunModel:
    """Return the model that most of a run's serving sockets follow; a listener counts only where it is all there is."""
    named = {id_: name_socket(id_, evidence) for id_, peer in evidence.sockets.items() if not peer.internal and peer.role != "poller"}
    serving = [named[id_] for id_ in named if evidence.sockets[id_].role in SERVING and named[id_].model != "unknown"]
    listeners = [named[id_] for id_ in named if evidence.sockets[id_].role == "listener" and named[id_].model != "unknown"]
    # A pair is how threads of one program talk: it tells the model only where nothing else was served.
    chosen = [found for found in serving if evidence.sockets[found.socket_id].role != "pair"] or listeners or serving
    if not chosen:
        return RunModel("unknown", "", "", tuple(named.values()), ())
    groups: dict[tuple[ModelName, str], list[SocketModel]] = {}
    for found in chosen:
        groups.setdefault((found.model, found.variant), []).append(found)
    # Sockets that never had to wait say least about how waiting was done.
    (model, variant), members = max(groups.items(), key=lambda item: (item[0][1] != "never had to wait", len(item[1])))
    proof = [call_id for found in members[:3] for call_id in found.proof]
    if model == "blocking" and chosen is not listeners:
        variant = ", ".join(filter(None, (variant, _crew(evidence, members))))
    if model == "multiplexing" and any(evidence.sockets[found.socket_id].process_id in evidence.asyncio for found in members):
        variant = f"asyncio: {variant}"
    listener = ""
    if listeners and chosen is not listeners and (listeners[0].model, listeners[0].variant) != (members[0].model, members[0].variant):
        listener = f"{listeners[0].model}" + (f" ({listeners[0].variant})" if listeners[0].variant else "")
        proof += listeners[0].proof
    return RunModel(model, variant, listener, tuple(named.values()), tuple(dict.fromkeys(proof)))


def _crew(evidence: Evidence, members: Sequence[SocketModel]) -> str:
    """Say how blocking connections share threads and processes."""
    ids = {found.socket_id for found in members if evidence.sockets[found.socket_id].role == "accepted"}
    threads: dict[int, set[int]] = {}
    for use in evidence.uses:
        if use.socket_id in ids and use.operation.startswith(WAITING):
            threads.setdefault(use.socket_id, set()).add(use.thread_id)
    if not threads:
        return ""
    listeners = {id_ for id_, peer in evidence.sockets.items() if peer.role == "listener"}
    acceptors = {use.thread_id for use in evidence.uses if use.socket_id in listeners}
    workers = {thread for served in threads.values() for thread in served}
    processes = {evidence.threads.get(thread, 0) for thread in workers}
    if workers <= acceptors:
        if len(workers) == 1:
            return "one connection at a time"
        crew = "processes" if len(processes) == len(workers) else "threads"
        return f"one connection at a time in each of {len(workers)} {crew}"
    forked = not processes & {evidence.threads.get(thread, 0) for thread in acceptors - workers}
    if len(workers) >= len(threads):
        return "a process per connection" if forked else "a thread per connection"
    if len(workers) == 1:
        return "one worker for the connections"
    return f"{len(workers)} {'processes' if forked else 'threads'} shared by the connections"
