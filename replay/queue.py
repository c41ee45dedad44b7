"""The kernel's side of a socket over time: how many bytes lay in its receive buffer.

Owns the arithmetic: what came (captured packets, or sends of a recorded peer) less what was read. Where
neither is known it says nothing. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..traces import Run, Trace
from .values import Level

_EVER_NS = 2**62
_AROUND = 2**32


def load_queues(trace: Trace, run: Run, sockets: Iterable[int]) -> dict[int, tuple[Level, ...]]:
    """Return the levels of those of some sockets of which it is known what came to them.

    Raises:
        TraceError: the trace is damaged.
    """
    known = {row["socket_id"] for row in trace.named("queue_sockets", run=run.id)}
    found = {id_: load_queue(trace, run, id_) for id_ in sockets if id_ in known}
    return {id_: told for id_, told in found.items() if told}


def load_queue(trace: Trace, run: Run, socket_id: int) -> tuple[Level, ...]:
    """Return the levels of a socket's receive buffer over time, () where nobody saw what came.

    Raises:
        TraceError: the trace is damaged.
    """
    arrivals = fresh((row["at_ns"], row["seq"], row["bytes"])
                     for row in trace.named("queue_packets", run=run.id, socket=socket_id, start=0, end=_EVER_NS))
    source = "packet"
    if not arrivals:
        arrivals = [(row["at_ns"], row["bytes"]) for row in trace.named("queue_sends", run=run.id, socket=socket_id)]
        source = "sender"
    if not arrivals:
        return ()
    reads = [(row["at_ns"], row["bytes"]) for row in trace.named("queue_reads", run=run.id, socket=socket_id)]
    return levels(arrivals, reads, source)


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
