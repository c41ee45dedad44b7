"""How faithful a recording was: every call of the trace beside every system call of the same run.

Owns what is counted, what is set aside, and the score. Pure: values in, values out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .explanations import EXPLANATIONS
from .grammar import Recorded
from .lives import explain_lives, lives_of, processes_of
from .matching import Alignment, Pair, align, by_end
from .strace import Observed, Syscall

# What strace is asked for to understand the rest: asked by Python or the C library, no call of the program's.
_UNCOUNTED = ("epoll_create", "getsockopt")
_MANY_SOCKETS = 2


@dataclass(frozen=True)
class Difference:
    """One call that the two accounts do not agree on.

    Args:
        kind: not made (recorded, never made), not recorded (made, not recorded), changed (made, but with another result).
        recorded, made: the call in either account; None: it has none.
        says: what it means.
    """

    kind: str
    recorded: Recorded | None
    made: Syscall | None
    says: str


@dataclass
class Tally:
    """What became of one operation's calls: those recorded, those made, and how many of them fit."""

    recorded: int = 0
    made: int = 0
    matched: int = 0
    explained: int = 0
    different: int = 0


@dataclass(frozen=True)
class Verdict:
    """What a comparison found.

    Args:
        tallies: per operation; a system call that no operation accounts for under its own name.
        explained: explanation -> how many calls it explains, or sets aside.
        differences: what nothing explains.
        unrecorded: process -> calls that it made unrecorded, where the trace says so.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    explained: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    unrecorded: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> Tally:
        """The sum of all operations."""
        rows = self.tallies.values()
        return Tally(*(sum(getattr(row, name) for row in rows) for name in ("recorded", "made", "matched", "explained", "different")))

    @property
    def fidelity(self) -> float | None:
        """Share of all calls of both accounts that match or are explained; None: there were none."""
        total = self.total
        return 1 - total.different / (total.recorded + total.made) if total.recorded + total.made else None


def fidelity_text(verdict: Verdict) -> str:
    """Return the score in percent with two digits, rounded down: 100.00 % only where nothing is left unexplained; "none" without calls."""
    total = verdict.total
    calls = total.recorded + total.made
    if not calls:
        return "none"
    hundredths = 10_000 * (calls - total.different) // calls
    return f"{hundredths // 100}.{hundredths % 100:02} %"


def verify(recorded: Sequence[Recorded], told: Observed, known: Mapping[int, bool], epoch_ns: int) -> Verdict:
    """Compare a run's calls with what strace saw of the same run.

    Args:
        recorded: every call of the run, in the order of their start.
        told: by strace.
        known: process -> whether it was recorded, as the trace says.
        epoch_ns: CLOCK_REALTIME when the run began.

    Returns:
        What fits, what is explained, what is different.
    """
    process_of = processes_of(told)
    lives = lives_of(told, process_of, recorded, epoch_ns)
    explained = _before_exec(told) | _wake_ups(told) | _default_timeouts(recorded, told, process_of)
    explained |= explain_lives(told, lives, process_of)
    unheard = _unheard(told, process_of, recorded, known)
    explained |= {call.line: "unrecorded process" for call in told.calls if process_of.get(call.thread) in unheard}
    verdict = Verdict()
    made_by: dict[int, list[Syscall]] = defaultdict(list)
    for call in told.calls:
        why = explained.get(call.line, "")
        if why and not EXPLANATIONS[why].counts:
            _set_aside(verdict, call, why, process_of[call.thread])
        elif call.name != "epoll_create":
            made_by[call.thread].append(call)
    recorded_by: dict[int, list[Recorded]] = defaultdict(list)
    for noted in recorded:
        if noted.layer == "ring":
            verdict.explained["ring"] += 1
        else:
            recorded_by[noted.thread].append(noted)
    for thread in sorted({*made_by, *recorded_by}):
        _count(verdict, align(by_end(recorded_by[thread]), _without_noise(made_by[thread], recorded_by[thread]), explained))
    verdict.differences.sort(key=lambda difference: difference.made.at_ns if difference.made else epoch_ns + _started(difference))
    return verdict


def _started(difference: Difference) -> int:
    return difference.recorded.started_ns if difference.recorded else 0


def _without_noise(made: Sequence[Syscall], recorded: Sequence[Recorded]) -> list[Syscall]:
    """Leave out questions to a socket that belong to no connect."""
    connecting = any(call.operation.startswith("connect") for call in recorded)
    return [call for call in made if call.name != "getsockopt" or (connecting and call.fd >= 0)]


# What explains a system call on its own.


def _before_exec(told: Observed) -> dict[int, str]:
    """Explain the closes of children that were about to become another program."""
    born = {birth.thread: birth.line for birth in told.births if not birth.shares}
    becomes: dict[int, int] = {}
    for told_exec in told.execs:
        becomes.setdefault(told_exec.thread, told_exec.line)
    return {
        call.line: "before exec"
        for call in told.calls
        if call.name == "close" and call.thread in born and call.line < becomes.get(call.thread, 0)
    }


def _wake_ups(told: Observed) -> dict[int, str]:
    return {call.line: "wake-up byte" for call in told.calls if call.name == "write" and call.result == 1 and call.after_signal}


def _default_timeouts(recorded: Sequence[Recorded], told: Observed, process_of: Mapping[int, int]) -> dict[int, str]:
    """Explain the first FIONBIO of sockets, in processes where several have a timeout that nobody set."""
    told_by_program = {call.socket for call in recorded if call.operation in ("settimeout", "setblocking")}
    have: dict[tuple[int, int], set[int]] = defaultdict(set)
    for call in recorded:
        if call.timeout_ns and call.socket is not None and call.layer != "wait" and call.socket not in told_by_program:
            have[call.pid, call.timeout_ns].add(call.socket)
    processes = {pid for (pid, _), sockets in have.items() if len(sockets) >= _MANY_SOCKETS}
    met: set[tuple[int, str]] = set()
    explained = {}
    for made in told.calls:
        process = process_of.get(made.thread, made.thread)
        if made.target and (process, made.target) not in met:
            met.add((process, made.target))
            if made.name == "ioctl" and process in processes:
                explained[made.line] = "default timeout"
    return explained


def _unheard(
    told: Observed, process_of: Mapping[int, int], recorded: Iterable[Recorded], known: Mapping[int, bool]
) -> set[int]:
    """Return the processes that had no agent: no Python, or named by the trace as unrecorded."""
    heard = {call.pid for call in recorded} | {pid for pid, was_recorded in known.items() if was_recorded}
    became = {told_exec.thread for told_exec in told.execs}
    named = {pid for pid, was_recorded in known.items() if not was_recorded}
    no_python = {told_exec.thread for told_exec in told.execs if "python" not in told_exec.program.rpartition("/")[2]}
    return {process for process in set(process_of.values()) - heard if process in named or (process in no_python and process in became)}


# Counting.


def _set_aside(verdict: Verdict, call: Syscall, why: str, process: int) -> None:
    if call.name in _UNCOUNTED:
        return
    verdict.explained[why] += 1
    if why == "unrecorded process":
        verdict.unrecorded[process] = verdict.unrecorded.get(process, 0) + 1


def _count(verdict: Verdict, found: Alignment) -> None:
    for pair in found.pairs:
        _count_pair(verdict, pair)
    for call, why in found.alone:
        if call.name not in _UNCOUNTED:
            verdict.explained[why] += 1
            tally = _tally(verdict, call.name)
            tally.made += 1
            tally.explained += 1
    for call in found.not_recorded:
        if call.name not in _UNCOUNTED:
            tally = _tally(verdict, call.name)
            tally.made += 1
            tally.different += 1
            verdict.differences.append(Difference("not recorded", None, call, _blind(call)))
    for noted in found.never_made:
        tally = _tally(verdict, noted.operation)
        tally.recorded += 1
        tally.different += 1
        says = "the trace holds this call, but the kernel never saw it on this thread at this place"
        verdict.differences.append(Difference("not made", noted, None, says))


def _count_pair(verdict: Verdict, pair: Pair) -> None:
    tally = _tally(verdict, pair.recorded.operation)
    made = [(call, why) for call, why in pair.made if call.name not in _UNCOUNTED]
    tally.recorded += 1
    tally.made += len(made)
    for _, why in made:
        if why:
            verdict.explained[why] += 1
            tally.explained += 1
    plain = sum(1 for _, why in made if not why)
    if pair.changed:
        tally.different += 1 + plain
        last = pair.made[-1][0] if pair.made else None
        verdict.differences.append(Difference("changed", pair.recorded, last, pair.changed))
        return
    if pair.explanation:
        verdict.explained[pair.explanation] += 1
        tally.explained += 1
    else:
        tally.matched += 1
    tally.matched += plain


def _tally(verdict: Verdict, name: str) -> Tally:
    return verdict.tallies.setdefault(name, Tally())


def _blind(call: Syscall) -> str:
    if call.name in ("read", "write", "readv", "writev", "close", "sendfile", "splice"):
        return "made past the socket's own methods: through its number, or by a C extension"
    return "no recorded call made it: a C extension, or a call that the agent does not see"
