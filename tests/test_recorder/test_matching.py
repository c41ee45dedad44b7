"""One thread's recorded calls beside its system calls: what fits, and that every planted difference is found."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockreel.recorder.verifying.explanations import EXPLANATIONS
from sockreel.recorder.verifying.grammar import Recorded
from sockreel.recorder.verifying.matching import Alignment, align, by_end
from sockreel.recorder.verifying.strace import Syscall

ROOT = Path(__file__).resolve().parent.parent.parent
S = 1_000_000_000
EINTR, EAGAIN = errno.EINTR, errno.EAGAIN


def call(operation: str, fd: int = 4, outcome: str | None = "ok", **more: int | None) -> Recorded:
    """Return a recorded call, numbered later."""
    layer = "wait" if operation in ("select", "poll", "epoll_wait") else "socket"
    return replace(Recorded(0, 7, 7, operation, layer, outcome, fd), **more)  # type: ignore[arg-type]


def made(name: str, fd: int = 4, result: int | None = 0, code: int = 0, about: str = "", watched: tuple[int, ...] = ()) -> Syscall:
    """Return a system call, numbered later."""
    return Syscall(7, name, fd, f"socket:[{fd}]", result, code, 0, 0, about, watched)


def wait(fd: int = 4, result: int | None = 1, code: int = 0) -> Syscall:
    """Return the poll that Python puts before a call with a timeout."""
    return made("poll", -1, result, code, watched=(fd,))


def numbered(calls: list[Recorded], syscalls: list[Syscall]) -> tuple[list[Recorded], list[Syscall]]:
    """Number both from 1; parents are given as positions from 1."""
    return [replace(c, id=n) for n, c in enumerate(calls, 1)], [replace(m, line=n) for n, m in enumerate(syscalls, 1)]


def aligned(calls: list[Recorded], syscalls: list[Syscall]) -> Alignment:
    """Align the two as they are."""
    recorded, seen = numbered(calls, syscalls)
    return align(by_end(recorded), seen)


def reasons(found: Alignment) -> list[str]:
    """Return every explanation given, and assert that nothing is left over."""
    assert not found.never_made and not found.not_recorded and not any(pair.changed for pair in found.pairs), found
    given_ = [why for pair in found.pairs for _, why in pair.made if why] + [pair.explanation for pair in found.pairs if pair.explanation]
    assert set(given_) <= set(EXPLANATIONS)
    return given_


RECV = call("recv", asked=100, result=5, timeout_ns=5 * S)
GOT = made("recvfrom", result=5)
EXPLAINED = {
    "a plain call": ([call("recv", result=5)], [GOT], []),
    "a timeout": ([RECV], [wait(), GOT], ["timeout"]),
    "a wait that woke for nothing": ([RECV], [wait(), made("recvfrom", result=-1, code=EAGAIN), wait(), GOT], ["timeout"] * 3),
    "a timeout that ran out": ([call("recv", outcome="timeout", timeout_ns=S)], [wait(result=0)], ["timeout"]),
    "a sendall in parts": (
        [call("sendall", asked=30, result=30)], [made("sendto", result=n) for n in (10, 15, 5)], ["sendall", "sendall"],
    ),
    "a sendall with a timeout": (
        [call("sendall", asked=30, result=30, timeout_ns=S)],
        [wait(), made("sendto", result=10), wait(), made("sendto", result=20)], ["timeout", "sendall", "timeout"],
    ),
    "a connect that waits": (
        [call("connect", timeout_ns=S)],
        [made("connect", result=-1, code=errno.EINPROGRESS), wait(), made("getsockopt", about="0")], ["connect"] * 3,
    ),
    "a connect that is refused while it waits": (
        [call("connect", outcome="refused", errno=errno.ECONNREFUSED, timeout_ns=S)],
        [made("connect", result=-1, code=errno.EINPROGRESS), wait(), made("getsockopt", about="ECONNREFUSED")], ["connect"] * 3,
    ),
    "a receive that a signal interrupted": ([call("recv", result=5)], [made("recvfrom", result=None, code=EINTR), GOT], ["retried"]),
    "a handler that sends": (
        [call("recv", result=5), call("send", 9, result=2, parent=1)],
        [made("recvfrom", result=None, code=EINTR), made("sendto", 9, 2), GOT], ["retried"],
    ),
    "a handler that raises": (
        [call("recv", outcome="error"), call("close")], [made("recvfrom", result=None, code=EINTR), made("close")], ["raised"],
    ),
    "a handler that sends and raises": (
        [call("recv", outcome="interrupted"), call("send", 9, result=2, parent=1), call("close")],
        [made("recvfrom", result=None, code=EINTR), made("sendto", 9, 2), made("close")], ["retried", "raised"],
    ),
    "a pause with a handler that sends": (
        [call("pause", -1), call("send", 9, result=2, parent=1), call("pause", -1, "interrupted")],
        [made("pause", -1, None, EINTR), made("sendto", 9, 2), made("pause", -1, None, EINTR)], ["retried"],
    ),
    "a wait for signals that ran out": (
        [call("sigtimedwait", -1, "timeout", result=0, timeout_ns=S)], [made("rt_sigtimedwait", -1, -1, EAGAIN)], [],
    ),
    "a name that was not found": ([call("connect", outcome="error", errno=-2), call("close")], [made("close")], ["no system call"]),
    "a call on a closed socket": ([call("recv", outcome="error", errno=errno.EBADF)], [made("recvfrom", -1, -1, errno.EBADF)], []),
    "a receive of no bytes": ([call("recv", asked=0, result=0), call("recv", result=5)], [GOT], ["no system call"]),
    "a detach": ([call("detach"), call("close", -1)], [], ["no system call"] * 2),
    "a poll object's interest": ([call("register", -1), call("poll", -1, result=1)], [wait()], ["no system call"]),
    "an epoll": (
        [call("register", 6), call("epoll_wait", 6, result=2), call("unregister", 6)],
        [made("epoll_ctl", 6, about="ADD"), made("epoll_wait", 6, 2), made("epoll_ctl", 6, about="DEL")], [],
    ),
    "a sendfile": (
        [call("sendfile", result=30), call("register", -1, parent=1), call("poll", -1, result=1, parent=1)],
        [made("sendfile", result=20), wait(), made("sendfile", result=10), made("sendfile", result=0)],
        ["no system call", *["sendfile"] * 3],
    ),
    "a sendfile by sends": (
        [call("sendfile", result=30), call("send", result=20, parent=1), call("send", result=10, parent=1)],
        [made("sendto", result=20), made("sendto", result=10)], ["no system call"],
    ),
    "kernel times": ([call("recv", result=5)], [made("recvmsg", result=5)], ["kernel-times"]),
    "a process that was killed": ([call("recv", outcome=None)], [made("recvfrom", result=None)], ["unfinished"]),
    "a process that was killed while it waited": (
        [call("recv", outcome=None, timeout_ns=S)], [wait(result=None)], ["timeout", "unfinished"],
    ),
    "an accept": ([call("accept", 3, result=17, new_fd=5)], [made("accept4", 3, 5)], []),
    "calls over TLS": (
        [replace(call("recv", result=5), layer="tls"), call("close")],
        [made("read", result=5), made("read", result=90), made("write", result=24), made("close")], ["tls"] * 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPLAINED)
def test_what_python_does_by_nature_is_explained(name: str) -> None:
    calls, syscalls, expected = EXPLAINED[name]
    assert sorted(reasons(aligned(calls, syscalls))) == sorted(expected)


@pytest.mark.parametrize("name", EXPLAINED)
def test_nothing_is_explained_where_one_system_call_is_missing(name: str) -> None:
    """Leaves out the last system call, which carries the result, and expects the recorded call to be missed."""
    calls, syscalls, _ = EXPLAINED[name]
    if not syscalls or calls[0].outcome is None or syscalls[-1].name == "write" or name == "a sendfile":
        pytest.skip("it carries no result: it may be there or not")
    found = aligned(calls, syscalls[:-1])
    assert found.never_made or found.not_recorded or any(pair.changed for pair in found.pairs) or name == "a handler that raises"


CHANGED = [
    (call("recv", result=6), GOT, "recorded 6, made 5"),
    (call("recv", result=5), made("recvfrom", result=-1, code=EAGAIN), "recorded 5, made EAGAIN"),
    (call("recv", outcome="would_block", errno=EAGAIN, timeout_ns=0), GOT, "recorded EAGAIN, made 5"),
    (call("send", outcome="reset", errno=errno.ECONNRESET), made("sendto", result=-1, code=errno.EPIPE), "recorded ECONNRESET, made EPIPE"),
    (call("accept", 3, result=1, new_fd=5), made("accept4", 3, 6), "recorded 5, made 6"),
    (call("epoll_wait", 6, result=1), made("epoll_wait", 6, 3), "recorded 1, made 3"),
    (call("close"), made("close", result=-1, code=errno.EIO), "recorded ok, made EIO"),
]


@pytest.mark.parametrize(("noted", "seen", "says"), CHANGED)
def test_another_result_is_named(noted: Recorded, seen: Syscall, says: str) -> None:
    found = aligned([noted], [seen])
    assert [pair.changed for pair in found.pairs] == [says]


# A program as it may be: what it calls, and how the kernel was asked. A socket keeps its timeout, and sends all
# of as much each time: where calls could be told apart by their bytes alone, two readings would be as good.
_PIECES = st.one_of(
    st.builds(lambda fd, n: (call("recv", fd, result=n), (made("recvfrom", fd, n),)), st.integers(3, 5), st.integers(1, 3)),
    st.builds(
        lambda fd: (call("recv", fd, "would_block", errno=EAGAIN, timeout_ns=0), (made("recvfrom", fd, -1, EAGAIN),)), st.integers(3, 5)
    ),
    st.builds(lambda fd, n: (call("send", fd, result=n), (made("sendto", fd, n),)), st.integers(3, 5), st.integers(1, 3)),
    st.builds(
        lambda fd, n: (call("recv", fd, result=n, timeout_ns=S), (wait(fd), made("recvfrom", fd, n))), st.integers(7, 8), st.integers(1, 3)
    ),
    st.builds(
        lambda fd, n: (call("sendall", fd, asked=10, result=10), (made("sendto", fd, n), made("sendto", fd, 10 - n))),
        st.integers(9, 10), st.integers(1, 3),
    ),
    st.builds(lambda fd: (call("close", fd), (made("close", fd),)), st.integers(3, 5)),
    st.builds(lambda n: (call("epoll_wait", 6, result=n), (made("epoll_wait", 6, n),)), st.integers(1, 3)),
)  # fmt: skip
_SPIN = st.builds(lambda piece, n: [piece] * n, _PIECES, st.integers(1, 40))
_PROGRAMS = st.lists(_SPIN, min_size=1, max_size=12).map(lambda spins: [piece for spin in spins for piece in spin])
_Program = list[tuple[Recorded, tuple[Syscall, ...]]]


def _key(syscall: Syscall) -> tuple[object, ...]:
    return syscall.name, syscall.fd, syscall.result, syscall.errno, syscall.watched


def _noted(noted: Recorded) -> tuple[object, ...]:
    return noted.operation, noted.fd, noted.outcome, noted.result, noted.timeout_ns


@given(_PROGRAMS)
def test_a_faithful_recording_has_no_difference(program: _Program) -> None:
    reasons(aligned([noted for noted, _ in program], [step for _, steps in program for step in steps]))


@given(_PROGRAMS, st.data())
def test_a_lost_call_is_found_and_nothing_else(program: _Program, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, len(program) - 1))
    calls = [noted for n, (noted, _) in enumerate(program) if n != lost]
    found = aligned(calls, [step for _, steps in program for step in steps])
    assert not found.never_made and not any(pair.changed for pair in found.pairs)
    # Of calls that are recorded alike (two sendalls of 10 bytes, cut differently) either may be the lost one.
    alike = [steps for noted, steps in program if replace(noted, id=0) == replace(program[lost][0], id=0)]
    assert sorted(map(_key, found.not_recorded)) in [sorted(map(_key, steps)) for steps in alike]


@given(_PROGRAMS, st.data())
def test_a_doubled_call_is_found_and_nothing_else(program: _Program, data: st.DataObject) -> None:
    doubled = data.draw(st.integers(0, len(program) - 1))
    calls = [noted for n, (noted, _) in enumerate(program) for _ in range(1 + (n == doubled))]
    found = aligned(calls, [step for _, steps in program for step in steps])
    assert not found.not_recorded and not any(pair.changed for pair in found.pairs)
    assert list(map(_noted, found.never_made)) == [_noted(program[doubled][0])]


@given(_PROGRAMS, st.data())
def test_a_changed_result_is_found_and_nothing_else(program: _Program, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(program) - 1))
    noted, _ = program[at]
    failed = replace(noted, outcome="error", errno=errno.EIO, result=None)
    other = failed if noted.result is None else replace(noted, result=noted.result + 70)
    calls = [other if n == at else same for n, (same, _) in enumerate(program)]
    found = aligned(calls, [step for _, steps in program for step in steps])
    assert not found.not_recorded and not found.never_made
    assert [(pair.recorded.id, bool(pair.changed)) for pair in found.pairs if pair.changed] == [(at + 1, True)]


def test_many_calls_missing_in_a_row_are_named_and_the_rest_still_fits() -> None:
    spin = [(call("recv", 5, "would_block", errno=EAGAIN, timeout_ns=0), made("recvfrom", 5, -1, EAGAIN))] * 3000
    rest = [(call("send", 4, result=n), made("sendto", 4, n)) for n in range(50)]
    found = aligned([noted for noted, _ in rest], [step for _, step in (*rest[:20], *spin, *rest[20:])])
    assert (len(found.not_recorded), len(found.pairs), found.never_made) == (3000, 50, [])


def test_two_strangers_are_named_whole() -> None:
    found = aligned([call("send", 4, result=1)] * 9, [made("recvfrom", 5, 3)] * 7)
    assert (len(found.never_made), len(found.not_recorded), found.pairs) == (9, 7, [])


def test_the_page_lists_the_explanations_that_there_are_and_no_others() -> None:
    page = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| **")]
    listed = {row[0].strip("*"): (row[1], row[2]) for row in rows}
    assert listed == {
        name: ("explained" if explanation.counts else "set aside", explanation.says) for name, explanation in EXPLANATIONS.items()
    }
