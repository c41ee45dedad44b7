"""Where in the table the calls of a window stand, so that a narrow window of a long run reads little of it.

Owns what is concluded from the order of ids. Reads levels, and no calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .reading import MAX_ID, Reader
from .values import Window

BUCKET_NS = 1_000_000
TOP_LEVEL = 7
NEAR_IDS = 50_000
"""Stretches no longer than this are read as they are."""
_ASTRAY_NS = 256_000_000
"""A call has its number from the tape before its time is taken; a thread may lose the processor in between, not for so long."""
_LOOK_AT = 16  # buckets of each level, before and behind
_FINEST = 2  # buckets of 64 ms


@dataclass(frozen=True, slots=True)
class Stretch:
    """Ids, both ends included, among which calls of some threads are wanted, or of all (None)."""

    first: int
    last: int
    threads: tuple[int, ...] | None = None


def narrowed(reader: Reader, window: Window, ids: Iterable[tuple[int, int, int]]) -> list[Stretch]:
    """Return the stretches of ids in which short calls of threads that touch a window stand.

    Where a bucket has few calls, finer ones are not told, and its first and its last call may be as far apart as the whole
    run. Of one process ids grow with the moment of the call, but for moments: its other calls say between which ids to look.

    Args:
        reader: of a run with levels.
        window: run time, ns.
        ids: thread, first and last id of a bucket.
    """
    wanted: dict[int, list[tuple[int, int, int]]] = {}
    for one in ids:
        wanted.setdefault(_process(reader, one[0]), []).append(one)
    far = [process for process, own in wanted.items() if any(last - first > NEAR_IDS for _, first, last in own)]
    edges = _edges(reader, window, far) if far else {}
    found = []
    for process, own in wanted.items():
        low, high = edges.get(process, (0, MAX_ID))
        clipped = [(max(first, low), min(last, high)) for _, first, last in own if max(first, low) <= min(last, high)]
        threads = tuple(sorted({thread for thread, _, _ in own}))
        found += [Stretch(first, last, threads) for first, last in merged(clipped)]
    return found


def without(stretches: Iterable[Stretch], read: Sequence[tuple[int, int]]) -> list[Stretch]:
    """Return stretches without the ids that are read anyway.

    Args:
        read: first and last ids, sorted, none of which overlap.
    """
    found = []
    for one in stretches:
        first = one.first
        for low, high in read:
            if high < first or low > one.last:
                continue
            if low > first:
                found.append(Stretch(first, low - 1, one.threads))
            first = high + 1
        if first <= one.last:
            found.append(Stretch(first, one.last, one.threads))
    return found


def merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return stretches of ids sorted, those that overlap or nearly touch as one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1_000:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def _process(reader: Reader, thread_id: int) -> int:
    thread = reader.threads.get(thread_id)
    return thread.process_id if thread else 0


def _edges(reader: Reader, window: Window, processes: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return per process the last id of a call well before a window, and the first one of a call well behind it."""
    low: dict[int, int] = {}
    high: dict[int, int] = {}
    astray: set[int] = set()
    start_ns, end_ns = window.start_ns - _ASTRAY_NS, window.end_ns + _ASTRAY_NS
    for level in range(_FINEST, TOP_LEVEL + 1):
        width_ns = BUCKET_NS * 8**level
        before, behind = start_ns // width_ns, -(-end_ns // width_ns)
        for process, buckets in _ids(reader, level, max(0, before - _LOOK_AT), behind + _LOOK_AT).items():
            if not _grow(buckets):
                astray.add(process)
            if lower := [last for bucket, (_, last) in buckets.items() if bucket < before]:
                low.setdefault(process, max(lower))
            if higher := [first for bucket, (first, _) in buckets.items() if bucket >= behind]:
                high.setdefault(process, min(higher))
        if all(process in low and process in high for process in processes):
            break
    return {process: (low.get(process, 0), high.get(process, MAX_ID)) for process in processes if process not in astray}


def _grow(buckets: Mapping[int, tuple[int, int]]) -> bool:
    """Say whether ids grow with time, as the recorder gives them; calls at the edge of two buckets may stand in any order."""
    told = sorted(buckets)
    highest = 0  # id of the buckets before the last
    for n, bucket in enumerate(told):
        if n and told[n - 1] < bucket - 1:
            highest = max(highest, buckets[told[n - 1]][1])
        if buckets[bucket][0] < highest:
            return False
        if n:
            highest = max(highest, buckets[told[n - 1]][1])
    return True


def _ids(reader: Reader, level: int, first: int, last: int) -> dict[int, dict[int, tuple[int, int]]]:
    """Return between which ids the calls of buckets lie, per process and bucket."""
    found: dict[int, dict[int, tuple[int, int]]] = {}
    for row in reader.trace.named("ids_of_buckets", run=reader.run.id, level=level, first=first, last=last):
        buckets = found.setdefault(_process(reader, row["thread_id"]), {})
        known = buckets.get(row["bucket"], (MAX_ID, 0))
        buckets[row["bucket"]] = min(known[0], row["first_call_id"]), max(known[1], row["last_call_id"])
    return found
