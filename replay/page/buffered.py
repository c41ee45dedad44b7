"""What lay in the kernel's receive buffers, as the page gets it: one step curve for each socket of which it is known.

Owns how much of it is told. The arithmetic is that of queue.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..queue import load_queues
from ..reading import Reader
from ..values import Level, Window

MOST_STEPS = 200_000
"""So many steps of a run's buffers are told exactly; of more, the most that lay there in equal stretches of time."""


def buffers_of(reader: Reader, window: Window) -> list[dict[str, Any]]:
    """Return the curves of a run's sockets, in their order.

    Each is {socket, source, at (moments, ns, each as its distance from the one before), bytes (from then on), until (when the
    socket was closed, None: never), whole (False: no step of it is exact, each is the most of its stretch)}.

    Args:
        window: run time, ns; steps after it are left out.
    """
    sockets = [id_ for id_ in reader.sockets if id_ not in reader.internal]
    curves = load_queues(reader.trace, reader.run, sockets)
    whole = sum(map(len, curves.values())) <= MOST_STEPS
    stretches = max(1, MOST_STEPS // max(1, len(curves)))
    return [
        _curve(id_, told if whole else most_of_stretches(told, window, stretches), window, whole, reader.sockets)
        for id_, told in sorted(curves.items()) if told]


def _curve(id_: int, told: Sequence[Level], window: Window, whole: bool, sockets: Mapping[int, Any]) -> dict[str, Any]:
    told = [level for level in told if level.at_ns < window.end_ns]
    moments = [level.at_ns for level in told]
    return {
        "socket": id_, "source": told[0].source if told else None, "whole": whole, "until": sockets[id_]["closed_ns"],
        "at": [moment - before for moment, before in zip(moments, [0, *moments], strict=False)],
        "bytes": [level.queued_bytes for level in told]}


def most_of_stretches(told: Sequence[Level], window: Window, stretches: int) -> list[Level]:
    """Return a curve with one step for each stretch of a window in which something changed: the most that lay there."""
    width_ns = max(1, -(-window.length_ns // stretches))
    found: list[Level] = []
    before = 0
    for n, level in enumerate(told):
        place = (level.at_ns - window.start_ns) // width_ns
        start_ns = max(level.at_ns if not n else 0, window.start_ns + place * width_ns)
        if found and start_ns <= found[-1].at_ns:
            most = max(found[-1].queued_bytes, level.queued_bytes)
            found[-1] = Level(found[-1].at_ns, most, level.source)
        else:
            # What lay there when the stretch began counts, too; after it, what the last one left.
            if found and found[-1].queued_bytes != before and found[-1].at_ns + width_ns < start_ns:
                found.append(Level(found[-1].at_ns + width_ns, before, level.source))
            found.append(Level(start_ns, max(before, level.queued_bytes), level.source))
        before = level.queued_bytes
    if found and found[-1].queued_bytes != before:
        found.append(Level(found[-1].at_ns + width_ns, before, found[-1].source))
    return found
