"""What was open on a descriptor, from its first system call to its close, and whom it belonged to.

Owns the explanations that only a whole life can give: sockets that the C library or the agent used
for themselves, closes by the collector, pollers that never polled. Pure.
"""

from __future__ import annotations

import errno
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .grammar import Recorded
from .strace import Observed, Syscall

# strace rounds its times down to a microsecond.
_ROUNDED_NS = 2_000
# How the trace says that a socket ended whose close must be a recorded call, or went past the recorder.
_CLOSED_UNSEEN = ("close", "detach", "replaced")
_DNS_PORT = "53"
_NAME_SERVICE = ("nscd", "systemd/resolve", "lookup.sock")


@dataclass
class Life:
    """One use of a descriptor's number in one process.

    Args:
        process: its id.
        fd: the number.
        target: what was open there.
        calls: on it, in order.
        owners: (socket, closed_by) of the trace, for every socket that was recorded there meanwhile.
    """

    process: int
    fd: int
    target: str
    calls: list[Syscall] = field(default_factory=list)
    owners: set[tuple[int | None, str | None]] = field(default_factory=set)

    @property
    def is_closed(self) -> bool:
        """Its last call closed it."""
        return self.calls[-1].name == "close"


def processes_of(told: Observed) -> dict[int, int]:
    """Return thread -> process, for every thread strace heard of."""
    parents = {birth.thread: birth.parent for birth in told.births if birth.shares}
    found = {}
    for thread in told.threads:
        process = thread
        for _ in range(len(parents) + 1):
            if process not in parents:
                break
            process = parents[process]
        found[thread] = process
    return found


def lives_of(told: Observed, process_of: Mapping[int, int], recorded: Iterable[Recorded], epoch_ns: int) -> list[Life]:
    """Return the lives of all descriptors, with the recorded sockets that they were.

    Args:
        told: by strace.
        process_of: thread -> process.
        recorded: every call of the run.
        epoch_ns: CLOCK_REALTIME when the run began.
    """
    lives: list[Life] = []
    current: dict[tuple[int, int], Life] = {}
    places: dict[tuple[int, int], list[Life]] = {}
    for call in told.calls:
        if call.fd < 0 or not call.target.startswith(("socket:", "anon_inode:[eventpoll]")):
            continue
        place = (process_of.get(call.thread, call.thread), call.fd)
        life = current.get(place)
        if life is None or life.target != call.target or life.is_closed or call.name == "epoll_create":
            life = current[place] = Life(*place, call.target)
            lives.append(life)
            places.setdefault(place, []).append(life)
        life.calls.append(call)
    _give_owners(places, recorded, epoch_ns)
    return lives


def _give_owners(places: Mapping[tuple[int, int], list[Life]], recorded: Iterable[Recorded], epoch_ns: int) -> None:
    """Tell each life which recorded sockets it was: a number is free again only after its close."""
    ends = {place: [life.calls[-1].at_ns + _ROUNDED_NS for life in lives] for place, lives in places.items()}
    for call in recorded:
        place = (call.pid, call.fd)
        # A closed socket is named in the trace by the descriptor that it had.
        if call.fd >= 0 and call.errno != errno.EBADF and place in places:
            at = bisect_left(ends[place], epoch_ns + call.started_ns)
            places[place][min(at, len(ends[place]) - 1)].owners.add((call.socket, call.closed_by))


def explain_lives(told: Observed, lives: Iterable[Life], process_of: Mapping[int, int]) -> dict[int, str]:
    """Return line -> explanation of system calls that need no recorded call."""
    explained: dict[int, str] = {}
    resolving: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for life in lives:
        why = "" if life.owners else _unknown_why(life, told)
        if why:
            explained.update((call.line, why) for call in life.calls)
            if why == "name resolution":
                resolving.setdefault((life.process, life.fd), []).append((life.calls[0].line, life.calls[-1].line))
        elif life.is_closed and not any(by in _CLOSED_UNSEEN for _, by in life.owners):
            explained[life.calls[-1].line] = "collected"
    for call in told.calls:
        if call.name in ("poll", "ppoll") and len(call.watched) == 1:
            spans = resolving.get((process_of.get(call.thread, call.thread), call.watched[0]), ())
            if any(first < call.line < last for first, last in spans):
                explained[call.line] = "name resolution"
    return explained


def _unknown_why(life: Life, told: Observed) -> str:
    """Return what a descriptor was that the trace never met."""
    names = {call.name for call in life.calls}
    made_of = told.made_of.get(life.target, "")
    if life.target == "anon_inode:[eventpoll]":
        return "unused poller" if names <= {"epoll_create", "close"} else ""
    if made_of == "AF_UNIX SOCK_DGRAM" and names == {"ioctl", "recvfrom", "close"}:
        return "measuring" if all(call.errno == errno.EAGAIN for call in life.calls if call.name == "recvfrom") else ""
    if _is_resolving(life, names, made_of):
        return "name resolution"
    return "collected" if names == {"close"} else ""


def _is_resolving(life: Life, names: set[str], made_of: str) -> bool:
    if "AF_NETLINK" in made_of:
        return True
    peers = [call.about for call in life.calls if call.name == "connect"]
    if not peers or not life.is_closed:
        return False
    if any(word in peer for peer in peers for word in _NAME_SERVICE):
        return True
    if "INET" not in made_of:
        return False
    # Addresses are put in order by asking the kernel which of its own it would use for each: nothing is sent.
    return all(peer == _DNS_PORT for peer in peers) or ("DGRAM" in made_of and names <= {"connect", "close"})
