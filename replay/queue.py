"""The kernel's side of a socket over time: how many bytes lay in its receive buffer.

Owns the arithmetic: what came (captured packets, or sends of a recorded peer) less what was read. Where
neither is known it says nothing. Draws nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from ..traces import Run, Trace
from .values import Level

_EVER_NS = 2**62
_AROUND = 2**32


def load_queues(trace: Trace, run: Run, sockets: Iterable[int]) -> dict[int, tuple[Level, ...]]:
    """Return the levels of those of some sockets of which it is known what came to them.

    Copies of a socket (inherited by a child, duplicated) have one buffer in the kernel: what any of them reads is gone for all.

    Raises:
        TraceError: the trace is damaged.
    """
    ends = _Ends(trace, run)
    roots = {id_: ends.root(id_) for id_ in sockets}
    wanted = set(roots.values())
    packets: dict[int, list[tuple[int, int | None, int]]] = {}
    for row in trace.named("queue_packets", run=run.id):
        root = ends.reached(row["source"], row["destination"], row["at_ns"])
        if root in wanted:
            packets.setdefault(root, []).append((row["at_ns"], row["seq"], row["bytes"]))
    sends: dict[int, list[tuple[int, int]]] = {}
    for row in trace.named("queue_sends", run=run.id):
        root = ends.root(row["socket_id"])
        if root in wanted and root not in packets:
            sends.setdefault(root, []).append((row["at_ns"], row["bytes"]))
    known = {root: (fresh(came), "packet") for root, came in packets.items()}
    known.update((root, (came, "sender")) for root, came in sends.items())
    if not known:
        return {}
    reads: dict[int, list[tuple[int, int]]] = {}
    for row in trace.named("queue_reads", run=run.id):
        reads.setdefault(ends.root(row["socket_id"]), []).append((row["at_ns"], row["bytes"]))
    told = {root: levels(came, reads.get(root, ()), source) for root, (came, source) in known.items()}
    return {id_: told[root] for id_, root in roots.items() if root in told}


class _Ends:
    """The sockets of a run by their two addresses, copies taken together under the first of them."""

    def __init__(self, trace: Trace, run: Run) -> None:
        rows = trace.named("queue_ends", run=run.id)
        ours = {int(row["id"]) for row in rows}
        self._origins: dict[int, int] = {row["id"]: row["origin_id"] for row in rows if row["origin_id"] in ours}
        lives: dict[tuple[str, str | None], dict[int, int]] = {}
        for row in rows:
            if row["local"]:
                closed_ns = _EVER_NS if row["closed_ns"] is None else row["closed_ns"]
                own = lives.setdefault((row["local"], row["peer"]), {})
                root = self.root(row["id"])
                own[root] = max(closed_ns, own.get(root, 0))
        self._lives = {ends: sorted((closed_ns, root) for root, closed_ns in own.items()) for ends, own in lives.items()}

    def root(self, socket_id: int) -> int:
        """Return the first of the copies of a socket."""
        seen = {socket_id}
        while (origin := self._origins.get(socket_id, socket_id)) not in seen:
            socket_id = origin
            seen.add(origin)
        return socket_id

    def reached(self, source: str, destination: str, at_ns: int) -> int | None:
        """Return the socket that a packet reached: of several with the same addresses, one after the other, that which was not closed."""
        port = destination.rpartition(":")[2]
        places = ((destination, source), (destination, None), (f"0.0.0.0:{port}", None), (f"[::]:{port}", None))
        lives = next((found for place in places if (found := self._lives.get(place))), None)
        if lives is None:
            return None
        return lives[min(bisect_left(lives, (at_ns, 0)), len(lives) - 1)][1]


def fresh(segments: Iterable[tuple[int, int | None, int]]) -> list[tuple[int, int]]:
    """Return the moments and sizes of new data, what was sent twice counted once.

    Args:
        segments: moment (ns), sequence number (None: a datagram), bytes; in the order of time.
    """
    found: list[tuple[int, int]] = []
    reached: int | None = None
    for at_ns, seq, size in segments:
        if seq is None:
            found.append((at_ns, size))
            continue
        # Sequence numbers go round at 2^32 (RFC 9293, 3.4): the distance tells which way.
        ahead = size if reached is None else min(size, ((seq + size - reached + _AROUND // 2) % _AROUND) - _AROUND // 2)
        if ahead > 0:
            found.append((at_ns, ahead))
            reached = (seq + size) % _AROUND
    return found


def levels(arrivals: Iterable[tuple[int, int]], reads: Iterable[tuple[int, int]], source: str) -> tuple[Level, ...]:
    """Return how much lay in the buffer after each arrival and each read.

    A read that is seen before its data (its packet was stamped late, its send has not returned) takes the
    level below zero for a moment: it is told as empty, and made up for by what comes.
    """
    # What comes at the moment of a read came before it.
    events = sorted([*arrivals, *((at_ns, -size) for at_ns, size in reads)], key=lambda event: (event[0], -event[1]))
    told: list[Level] = []
    queued = 0
    for at_ns, change in events:
        queued += change
        if told and told[-1].at_ns == at_ns:
            told.pop()
        told.append(Level(at_ns, max(0, queued), source))
    return tuple(told)


def filled_ns(told: tuple[Level, ...], after_ns: int, until_ns: int) -> int | None:
    """Return when captured packets had filled a buffer that a read at `after_ns` may have emptied; None where that is not known."""
    at_first = queued_at(told, after_ns)
    if at_first is None or at_first > 0 or told[0].source != "packet":
        return None
    return next((level.at_ns for level in told if after_ns < level.at_ns <= until_ns and level.queued_bytes > 0), None)


def queued_at(told: tuple[Level, ...], at_ns: int) -> int | None:
    """Return the bytes that lay in the buffer at a moment; None where that is not known."""
    found = 0 if told else None
    for level in told:
        if level.at_ns > at_ns:
            break
        found = level.queued_bytes
    return found
