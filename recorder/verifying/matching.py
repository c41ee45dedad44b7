"""Two accounts of one thread, put side by side: what the agent recorded, and the system calls strace saw.

Owns how the two sequences are kept in step, and brought back into it where they differ. How one
call is carried out is in grammar.py. Pure: no files, no trace, no strace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .grammar import Recorded, compare_result, is_same_place, is_wait_of, may_be_silent, said, told_by_so_error, why_goes_on, why_inside
from .strace import RECEIVES, SENDS, WAITS, Syscall

# How many calls must fit again behind a difference before it is believed, and how far is searched.
_SURE = 4
_CLOSE = 5
_NEAR = 24
_FAR = 2_000
_END = 1 << 60
_FAR_SIDE = 8
_MOST_TRIES = 4_000_000
_ALONE = -1
# The trace itself says that no recorded call closed it: whatever else may look like that close is another one.
_NO_OWNER = "collected"


@dataclass(frozen=True)
class Pair:
    """A recorded call and the system calls that carried it out: (call, explanation or "") each.

    Args:
        recorded: the call.
        made: in their order; the one that carries its result has no explanation.
        explanation: of the recorded call itself, where it made none, or its result needs one.
        changed: in what the two differ; "": in nothing.
    """

    recorded: Recorded
    made: tuple[tuple[Syscall, str], ...]
    explanation: str = ""
    changed: str = ""


@dataclass
class Alignment:
    """One thread's two accounts: what fits, and what is left on either side."""

    pairs: list[Pair] = field(default_factory=list)
    never_made: list[Recorded] = field(default_factory=list)
    not_recorded: list[Syscall] = field(default_factory=list)
    alone: list[tuple[Syscall, str]] = field(default_factory=list)


def by_end(calls: Sequence[Recorded]) -> list[Recorded]:
    """Return calls of one thread, given in the order of their start, in that of their end: children before parents."""
    ordered: list[Recorded] = []
    open_calls: list[Recorded] = []
    for call in calls:
        while open_calls and open_calls[-1].id != call.parent:
            ordered.append(open_calls.pop())
        open_calls.append(call)
    return ordered + open_calls[::-1]


def align(recorded: Sequence[Recorded], made: Sequence[Syscall], explained_alone: Mapping[int, str] | None = None) -> Alignment:
    """Put one thread's calls and its system calls side by side.

    Args:
        recorded: in the order of their end (`by_end`).
        made: in the order strace saw them.
        explained_alone: line -> explanation of system calls that may have no recorded call.

    Returns:
        The pairs, and what is left.
    """
    return _Aligner(recorded, made, explained_alone or {}).run()


@dataclass(frozen=True)
class _Step:
    taken: int  # system calls
    pair: Pair
    real: bool  # a system call of its own fitted
    inner: tuple[tuple[int, int], ...] = ()  # (id of a call around it or _ALONE, index): taken on its way


class _Aligner:
    def __init__(self, recorded: Sequence[Recorded], made: Sequence[Syscall], alone: Mapping[int, str]) -> None:
        self.recorded, self.made, self.alone = recorded, made, alone
        self.calls = {call.id: call for call in recorded}
        self.moved: dict[int, int] = {}  # id of a call that makes many -> bytes already seen
        self.early: dict[int, list[tuple[Syscall, str]]] = {}  # id of a call -> what it made before a call inside it
        self.tries = 0
        self.found = Alignment()

    def run(self) -> Alignment:
        i = j = 0
        while i < len(self.recorded) or j < len(self.made):
            if j < len(self.made) and self._alone_why(self.made[j]) == _NO_OWNER:
                self.found.alone.append((self.made[j], _NO_OWNER))
                j += 1
                continue
            step = self._step(i, j)
            if step is not None and not step.pair.changed:
                self._take(step, j)
                i, j = i + 1, j + step.taken
            elif j < len(self.made) and self._alone_why(self.made[j]):
                self.found.alone.append((self.made[j], self._alone_why(self.made[j])))
                j += 1
            else:
                i, j = self._differ(i, j, step)
        return self.found

    def _take(self, step: _Step, j: int) -> None:
        pair = step.pair
        for outer, at in step.inner:
            call = self.made[at]
            if outer == _ALONE:
                self.found.alone.append((call, self._alone_why(call)))
                continue
            self.early.setdefault(outer, []).append((call, why_inside(self.calls[outer], call)))
            self.moved[outer] = self.moved.get(outer, 0) + max(0, call.result or 0)
        early = self.early.pop(pair.recorded.id, None)
        if early:
            pair = Pair(pair.recorded, (*early, *pair.made), pair.explanation, pair.changed)
        outer_id = pair.recorded.parent
        if outer_id is not None and pair.recorded.operation.startswith("send"):
            self.moved[outer_id] = self.moved.get(outer_id, 0) + max(0, pair.recorded.result or 0)
        self.found.pairs.append(pair)

    def _alone_why(self, call: Syscall) -> str:
        return self.alone.get(call.line, "")

    # Where the two differ.

    def _differ(self, i: int, j: int, step: _Step | None) -> tuple[int, int]:
        """Name the smallest difference behind which both go on in step; return where they do.

        Within a spin several differences would explain the next calls as well: the one that reaches farthest is the one.
        """
        best = (-1, 0, 0, 0)
        if step is not None:
            best = (self._reach(i + 1, j + step.taken), 0, 0, 0)
        for distance in range(1, _CLOSE):
            for skipped in range(distance + 1):
                reach = self._reach(i + skipped, j + distance - skipped)
                best = max(best, (reach, -distance, skipped, distance - skipped), key=lambda tried: tried[:2])
        reach, distance, skipped, extra = best
        if reach < i + j - distance + _SURE and reach != _END:
            found = self._resync(i, j)
            if found is not None:
                distance, (skipped, extra) = -1, found
            elif step is None and reach <= i + j - distance:
                skipped, extra = len(self.recorded) - i, len(self.made) - j
        if step is not None and not distance:
            self._take(step, j)
            return i + 1, j + step.taken
        return self._leave_out(i, j, i + skipped, j + extra)

    def _leave_out(self, i: int, j: int, end_i: int, end_j: int) -> tuple[int, int]:
        """Name what does not fit up to two positions: pairs with other results first, then what is on one side only."""
        while i < end_i and j < end_j and (step := self._step(i, j)) is not None and j + step.taken <= end_j:
            self._take(step, j)
            i, j = i + 1, j + step.taken
        self.found.never_made.extend(self.recorded[i:end_i])
        self.found.not_recorded.extend(self.made[j:end_j])
        return end_i, end_j

    def _resync(self, i: int, j: int) -> tuple[int, int] | None:
        """Return how many calls to leave out on either side, farther away; None: they never meet again."""
        for distance in range(_CLOSE, _NEAR):
            for skipped in range(distance + 1):
                if self._is_sure(i + skipped, j + distance - skipped):
                    return skipped, distance - skipped
        for near in range(_FAR_SIDE):
            for far in range(_NEAR - _FAR_SIDE, max(len(self.recorded) - i, len(self.made) - j) + 1):
                if self.tries > _MOST_TRIES:
                    return None
                for skipped, extra in ((near, far), (far, near)):
                    if self._is_sure(i + skipped, j + extra):
                        return skipped, extra
        return None

    def _is_sure(self, i: int, j: int) -> bool:
        return self._follow(i, j, _SURE)[0] >= _SURE

    def _reach(self, i: int, j: int) -> int:
        """Return how far both fit exactly from here: the sum of the positions where they stop, `_END` at the end of both."""
        return self._follow(i, j, _FAR)[1]

    def _follow(self, i: int, j: int, most: int) -> tuple[int, int]:
        """Go on while both fit exactly.

        Args:
            most: calls.

        Returns:
            How many calls fitted (`most` where both ended), and where that was, as for `_reach`.
        """
        fits = 0
        if i > len(self.recorded) or j > len(self.made):
            return 0, -1
        while fits < most:
            self.tries += 1
            if i == len(self.recorded) and j == len(self.made):
                return most, _END
            if j < len(self.made) and self._alone_why(self.made[j]) == _NO_OWNER:
                j += 1
                continue
            step = self._step(i, j)
            if step is not None and not step.pair.changed:
                fits += step.real
                i, j = i + 1, j + step.taken
            elif j < len(self.made) and self._alone_why(self.made[j]):
                j += 1
            else:
                break
        return fits, i + j

    # One call.

    def _step(self, i: int, j: int) -> _Step | None:
        """Return how the i-th recorded call was carried out by system calls from the j-th on; None: not by these."""
        if i >= len(self.recorded):
            return None
        call = self.recorded[i]
        if call.operation == "detach" or call.in_memory:
            return _Step(0, Pair(call, (), "no system call"), False)
        if call.is_many and not self._is_one_of_many(call):
            return self._many(i, j)
        if call.id in self.early and (call.ended_in_python or call.operation == "pause"):
            return _Step(0, Pair(call, (), "raised" if call.ended_in_python else ""), False)  # it ended in the handler
        step = self._one(i, j)
        if (step is None or step.pair.changed) and may_be_silent(call):
            why = "unfinished" if call.outcome is None else "no system call"
            return _Step(0, Pair(call, (), why), False)
        return step

    def _one(self, i: int, j: int) -> _Step | None:
        call = self.recorded[i]
        names = call.syscalls
        made: list[tuple[Syscall, str]] = []
        inner: list[tuple[int, int]] = []
        left = call.asked if call.operation == "sendall" and call.outcome == "ok" else None
        at = j
        while at < len(self.made):
            step = self.made[at]
            if self._alone_why(step) == _NO_OWNER:
                inner.append((_ALONE, at))
            elif step.name in names and is_same_place(call, step):
                why = why_goes_on(call, step, left, any(before.name in WAITS for before, _ in made))
                if step.is_interrupted and call.ended_in_python and self._is_last_interruption(i, at):
                    why = ""
                if not why:
                    return self._last(call, step, made, at + 1 - j, inner, left)
                if call.operation == "sendall":
                    left = (left or 0) - max(0, step.result or 0)
                made.append((step, why))
            elif is_wait_of(call, step):
                made.append((step, "connect" if call.operation.startswith("connect") else "timeout"))
                if call.outcome == "timeout" and step.result == 0:
                    return _Step(at + 1 - j, Pair(call, tuple(made)), True, tuple(inner))
                if call.outcome is None and step.result is None:
                    return _Step(at + 1 - j, Pair(call, tuple(made), "unfinished"), True, tuple(inner))
            elif step.name == "getsockopt":
                if call.operation.startswith("connect") and made and step.fd == call.fd:
                    made.append((step, "connect"))
                    return _Step(at + 1 - j, Pair(call, tuple(made), "", told_by_so_error(call, step)), True, tuple(inner))
            elif (outer := self._around(call, step)) is not None and not made:
                inner.append((outer, at))
            elif self._alone_why(step):
                inner.append((_ALONE, at))
            else:
                break
            at += 1
        if made and (call.outcome is None or call.ended_in_python):
            return _Step(at - j, Pair(call, tuple(made), "unfinished" if call.outcome is None else "raised"), True, tuple(inner))
        if made and made[-1][0].name in names:
            sent = sum(max(0, step.result or 0) for step, why in made if why == "sendall")
            says = f"recorded {said(call)}, made {sent:,}" if sent else f"recorded {said(call)}, but it came back with nothing"
            return _Step(at - j, Pair(call, tuple(made), "", says), True, tuple(inner))
        return None

    def _is_last_interruption(self, i: int, at: int) -> bool:
        """Whether no later interruption in a row can be this call's: each of the next calls that were interrupted needs its own."""
        call, step = self.recorded[i], self.made[at]
        alike = (step.name, step.errno)
        later = _run_of(alike, [(made.name, made.errno) for made in self.made[at + 1 : at + _NEAR]])
        alike_call = (call.operation, call.fd, call.outcome)
        needed = _run_of(alike_call, [(other.operation, other.fd, other.outcome) for other in self.recorded[i + 1 : i + _NEAR]])
        return later <= needed

    def _last(
        self, call: Recorded, step: Syscall, made: list[tuple[Syscall, str]], taken: int, inner: list[tuple[int, int]], left: int | None
    ) -> _Step:
        changed, why = compare_result(call, step, left)
        if not why and step.name == "recvmsg" and not call.operation.startswith("recvmsg"):
            why = "kernel-times"
        return _Step(taken, Pair(call, (*made, (step, "")), why, changed), True, tuple(inner))

    def _is_one_of_many(self, call: Recorded) -> bool:
        """Whether it is an os.sendfile that socket.sendfile made."""
        outer = self.calls.get(call.parent) if call.parent is not None else None
        return outer is not None and call.operation == outer.operation == "sendfile"

    def _many(self, i: int, j: int) -> _Step:
        """Take all that may belong to a call that makes as many system calls as it needs."""
        call = self.recorded[i]
        after = self.recorded[i + 1] if i + 1 < len(self.recorded) else None
        next_is_end = after is not None and (after.operation, after.fd, after.result) == ("sendfile", call.fd, 0)
        moved = self.moved.get(call.id, 0)
        made: list[tuple[Syscall, str]] = []
        why = "tls" if call.layer == "tls" else "sendfile"
        while j + len(made) < len(self.made):
            step = self.made[j + len(made)]
            if not (step.fd == call.fd >= 0 and step.name in call.syscalls) and not is_wait_of(call, step):
                break
            if why == "sendfile" and call.result is not None and moved >= call.result and (step.result or next_is_end):
                break
            moved += max(0, step.result or 0) if step.name not in WAITS else 0
            made.append((step, why))
        if why == "tls":
            del made[len(made) - self._left_to_plain(i, j, len(made)) :]
        changed = ""
        if why == "sendfile" and call.outcome == "ok" and call.result is not None and moved != call.result:
            changed = f"recorded {call.result:,} bytes, made {moved:,}"
        silent = not made and call.id not in self.early
        return _Step(len(made), Pair(call, tuple(made), why.replace("sendfile", "no system call") if silent else "", changed), bool(made))

    def _left_to_plain(self, i: int, j: int, taken: int) -> int:
        """Return how many of the system calls that a TLS call could take are those of plain calls behind it: it ended TLS (unwrap)."""
        first, fd = i + 1, self.recorded[i].fd
        while first < len(self.recorded) and (self.recorded[first].layer, self.recorded[first].fd) == ("tls", fd):
            first += 1  # it finds nothing left to take
        end = first
        while end < len(self.recorded) and self._is_plain(self.recorded[end], fd):
            end += 1
        for left in range(taken + 1) if end > first else ():
            at = j + taken - left
            for plain in range(first, end):
                step = self._one(plain, at)
                if step is None or step.pair.changed:
                    break
                at += step.taken
            else:
                return left
        return 0

    def _is_plain(self, call: Recorded, fd: int) -> bool:
        return call.fd == fd and call.layer == "socket" and bool(call.syscalls & (RECEIVES | SENDS))

    def _around(self, call: Recorded, step: Syscall) -> int | None:
        """Return the id of the call around this one that a system call belongs to."""
        outer = self.calls.get(call.parent) if call.parent is not None else None
        while outer is not None:
            if step.fd == outer.fd and step.name in outer.syscalls and (outer.is_many or step.is_interrupted):
                return outer.id
            if is_wait_of(outer, step) or (step.is_interrupted and step.name in outer.syscalls):
                return outer.id
            outer = self.calls.get(outer.parent) if outer.parent is not None else None
        return None




def _run_of(wanted: object, values: Sequence[object]) -> int:
    """Return how many values from the first on are the wanted one."""
    return next((n for n, value in enumerate(values) if value != wanted), len(values))
