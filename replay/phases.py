"""Where a run's time went, in the two phases of an input operation: waiting for data, and copying it (UNP figure 6.6).

Owns how calls are told apart into phases. Knows stories only: reads no file, draws nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .values import KIND_INDEX, REQUESTS_THREAD, Span, Story, is_request, moved_bytes


@dataclass(frozen=True, slots=True)
class Part:
    """Calls of one sort taken together: how many, how long, and their operations, the most important first."""

    calls: int = 0
    ns: int = 0
    operations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Phases:
    """The time of a run's threads, each from its first call to its last, divided.

    Args:
        threads_ns: all of it together; None where it is not known for every thread.
        waiting: in waits for readiness, a signal or a completion (select, poll, epoll, pause, a ring's): they copy nothing.
        checking: in calls that could not wait and found nothing.
        blocked: in calls that wait and then copy, both within one call.
        blocked_wait_ns, blocked_copy_ns: of `blocked`, where the moment of readiness is known: before it, and from it
            to the return. A call that moved no bytes (an accept, the end of a stream) only waited.
        blocked_unknown_ns: of `blocked`, where it is not: both phases, not told apart.
        copying: in calls that moved data without waiting for it.
        by_kernel: requests of a ring that moved data: the kernel waited and copied, the threads' time is not in them.
        unmeasured: how many of `blocked` received, and it is not known when their data was ready.
    """

    threads_ns: int | None
    waiting: Part
    checking: Part
    blocked: Part
    blocked_wait_ns: int
    blocked_copy_ns: int
    blocked_unknown_ns: int
    copying: Part
    by_kernel: Part = Part()
    unmeasured: int = 0

    @property
    def known(self) -> bool:
        """Whether both phases are told apart for every receive that blocked; a send's are not, and are small where it did not wait."""
        return self.unmeasured == 0 and self.blocked_unknown_ns * 100 <= self.blocked.ns

    @property
    def wait_ns(self) -> int:
        """First phase, as far as it is known: asleep till something is there, or polling."""
        return self.waiting.ns + self.checking.ns + self.blocked_wait_ns

    @property
    def copy_ns(self) -> int:
        """Second phase, as far as it is known: wake-up and copy."""
        return self.copying.ns + self.blocked_copy_ns

    @property
    def program_ns(self) -> int | None:
        """The rest: the program's own work, and calls that neither wait nor copy."""
        if self.threads_ns is None:
            return None
        return max(0, self.threads_ns - self.wait_ns - self.copy_ns - self.blocked_unknown_ns)

    def share(self, ns: int | None) -> float | None:
        """Return a time as a share of the threads' time."""
        return None if ns is None or not self.threads_ns else min(1.0, ns / self.threads_ns)


def phases_of(story: Story) -> Phases:
    """Return the phases of a story of a whole run."""
    told = [call for call in story.calls if call.kind == "blocked" and not is_request(call.operation)]
    inside: Counter[int] = Counter()
    for call in story.calls:
        if call.parent_id is not None:
            inside[call.parent_id] += call.duration_ns
    waits = [call for call in told if call.layer == "wait" or call.operation == "ring_wait"]
    data = [call for call in told if call.layer != "wait" and call.operation != "ring_wait"]
    waiting_ns = sum(max(0, call.duration_ns - inside[call.call_id]) for call in waits)
    # An accept, a connect and the end of a stream wait and copy nothing: only of what moved bytes a second phase is missing.
    unknown_ns = sum(call.duration_ns for call in data if call.wait_ns is None and call.bytes)
    wait_ns = sum(call.wait_ns if call.wait_ns is not None else 0 if call.bytes else call.duration_ns for call in data)
    copy_ns = sum(call.copy_ns or 0 for call in data)
    unmeasured = sum(1 for call in data if call.wait_ns is None and call.bytes and not call.operation.startswith(("send", "write")))
    if not story.complete:
        # The rest of what blocked is counted only: as much of it as waits for readiness took is theirs.
        requests_ns = sum(count.total_ns for count in story.counts if is_request(count.operation))
        rest_ns = max(0, story.facts.blocked_ns - requests_ns - sum(call.duration_ns for call in told))
        all_waits_ns = sum(count.total_ns for count in story.counts if count.layer == "wait") - _idle_looks_ns(story)
        more_waits_ns = min(rest_ns, max(0, all_waits_ns - sum(call.duration_ns for call in waits)))
        waiting_ns += more_waits_ns
        unknown_ns += rest_ns - more_waits_ns
        unmeasured += rest_ns > more_waits_ns
    fruitless = KIND_INDEX["fruitless"]
    return Phases(
        threads_ns=_threads_ns(story),
        waiting=Part(_calls(story, waits, "wait"), waiting_ns, _operations(waits)),
        checking=Part(story.facts.kind_calls[fruitless], story.facts.kind_ns[fruitless], _checking(story)),
        blocked=Part(len(data), wait_ns + copy_ns + unknown_ns, _operations(data)),
        blocked_wait_ns=wait_ns, blocked_copy_ns=copy_ns, blocked_unknown_ns=unknown_ns,
        copying=Part(*_moved(story), _copying(story)), by_kernel=_by_kernel(story), unmeasured=unmeasured)


def _by_kernel(story: Story) -> Part:
    moved = [count for count in story.counts
             if is_request(count.operation) and moved_bytes(count.operation, count.outcome, count.bytes)]
    return Part(sum(count.calls for count in moved), sum(count.total_ns for count in moved),
                tuple(sorted(count.operation for count in moved)))


def _moved(story: Story) -> tuple[int, int]:
    """Return calls that moved data without waiting for it, and the time in them.

    Levels count what a call makes inside another one as nothing moved: right for a sendall and its
    sends, but a signal's handler that reads inside a pause has copied.
    """
    if story.complete:
        carriers = {call.call_id for call in story.calls if call.layer != "wait"}
        moved = [call for call in story.calls
                 if call.kind == "moved" and call.parent_id not in carriers and not is_request(call.operation)]
        return len(moved), sum(call.duration_ns for call in moved)
    at = KIND_INDEX["moved"]
    if any(is_request(count.operation) for count in story.counts):
        return 0, 0
    if story.facts.kind_calls[at] or not any(count.operation == "pause" for count in story.counts):
        return story.facts.kind_calls[at], story.facts.kind_ns[at]
    copies = [count for count in story.counts if moved_bytes(count.operation, count.outcome, count.bytes)]
    return sum(count.calls for count in copies), sum(count.total_ns for count in copies)


def _idle_looks_ns(story: Story) -> int:
    """Return the time in waits with a timeout of 0 that found nothing: fruitless calls that are no EAGAIN."""
    refused_ns = sum(count.total_ns for count in story.counts if count.outcome == "would_block")
    return max(0, story.facts.kind_ns[KIND_INDEX["fruitless"]] - refused_ns)


def _calls(story: Story, told: list[Span], layer: str) -> int:
    """Return how many calls blocked: those told, or where they are not all told, all of their layer that were no idle look."""
    if story.complete or not told:
        return len(told)
    looks = story.facts.fruitless - sum(count.calls for count in story.counts if count.outcome == "would_block")
    return max(len(told), sum(count.calls for count in story.counts if count.layer == layer) - looks)


def _operations(calls: list[Span]) -> tuple[str, ...]:
    spent: Counter[str] = Counter()
    for call in calls:
        spent[call.operation] += call.duration_ns
    return tuple(operation for operation, _ in spent.most_common())


def _checking(story: Story) -> tuple[str, ...]:
    found: Counter[str] = Counter()
    for count in story.counts:
        if count.outcome == "would_block":
            found[count.operation] += count.calls
    if story.facts.fruitless > sum(found.values()):
        found.update({count.operation: 1 for count in story.counts if count.layer == "wait"})
    return tuple(operation for operation, _ in found.most_common())


def _copying(story: Story) -> tuple[str, ...]:
    found: Counter[str] = Counter()
    for count in story.counts:
        if moved_bytes(count.operation, count.outcome, count.bytes) and not is_request(count.operation):
            found[count.operation] += count.calls
    # A receive before a send, as data goes.
    return tuple(sorted(found, key=lambda operation: (operation.startswith(("send", "write")), -found[operation])))


def _threads_ns(story: Story) -> int | None:
    """Return how long the threads were there, together; None where some are not known."""
    ends: dict[int, tuple[int, int]] = {}
    if story.complete:
        for call in story.calls:
            if is_request(call.operation):
                continue
            first, last = ends.get(call.thread_id, (call.started_ns, call.ended_ns))
            ends[call.thread_id] = min(first, call.started_ns), max(last, call.ended_ns)
        return sum(last - first for first, last in ends.values()) or None
    if story.more_threads:
        return None
    lanes = [lane.cells for lane in story.threads if lane.cells and not lane.name.startswith(REQUESTS_THREAD)]
    return sum(max(cell.end_ns for cell in cells) - min(cell.start_ns for cell in cells) for cells in lanes) or None
