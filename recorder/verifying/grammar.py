"""How a recorded call is carried out in the kernel: which system calls, on what, with which result.

Owns the grammar of every operation, one call at a time. Pure; knows nothing of sequences.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass

from .strace import RECEIVES, SENDS, Syscall

_AGAIN = frozenset({errno.EAGAIN, errno.EINPROGRESS, errno.EALREADY})
_SYSCALLS: Mapping[str, frozenset[str]] = {
    "accept": frozenset({"accept", "accept4"}),
    **dict.fromkeys(("recv", "recv_into", "recvfrom", "recvfrom_into"), frozenset({"recvfrom", "recvmsg"})),
    **dict.fromkeys(("recvmsg", "recvmsg_into"), frozenset({"recvmsg"})),
    **dict.fromkeys(("send", "sendall", "sendto"), frozenset({"sendto"})),
    "sendmsg": frozenset({"sendmsg"}),
    "sendfile": frozenset({"sendfile"}),
    **dict.fromkeys(("connect", "connect_ex"), frozenset({"connect"})),
    **dict.fromkeys(("setblocking", "settimeout"), frozenset({"ioctl"})),
    "select": frozenset({"select", "pselect6"}),
    "poll": frozenset({"poll", "ppoll"}),
    "epoll_wait": frozenset({"epoll_wait", "epoll_pwait", "epoll_pwait2"}),
    **dict.fromkeys(("register", "modify", "unregister"), frozenset({"epoll_ctl"})),
    **dict.fromkeys(("sigwait", "sigwaitinfo", "sigtimedwait"), frozenset({"rt_sigtimedwait"})),
    "detach": frozenset(),
}
_EPOLL_CTL = {"register": "ADD", "modify": "MOD", "unregister": "DEL"}
_SIGNAL_WAITS = ("sigwait", "sigwaitinfo", "sigtimedwait", "pause")
WAITING = ("select", "poll", "epoll_wait")
_MANY = ("sendfile",)


@dataclass(frozen=True)
class Recorded:
    """One call of the trace.

    Args:
        id: in the trace.
        thread, pid: the kernel's ids.
        operation, layer, outcome: in the trace's words; outcome None: unfinished.
        fd: of its socket when it was made; -1: none.
        errno: 0: none.
        result: bytes moved, sockets ready; None: none.
        asked: bytes asked for or offered.
        timeout_ns: None: may block for ever.
        parent: id of the call it ran inside.
        socket: id; None: none.
        closed_by: how the trace says that socket was closed.
        new_fd: descriptor that an accept returned.
        started_ns: since the run's start.
        site: id.
        in_memory: TLS that touches no descriptor: what it reads was received, what it writes is sent by calls of their own.
    """

    id: int
    thread: int
    pid: int
    operation: str
    layer: str
    outcome: str | None
    fd: int = -1
    errno: int = 0
    result: int | None = None
    asked: int | None = None
    timeout_ns: int | None = None
    parent: int | None = None
    socket: int | None = None
    closed_by: str | None = None
    new_fd: int | None = None
    started_ns: int = 0
    site: int | None = None
    in_memory: bool = False

    @property
    def syscalls(self) -> frozenset[str]:
        """The system calls that carry it out."""
        if self.layer == "tls":
            return RECEIVES | SENDS
        return _SYSCALLS.get(self.operation) or frozenset({self.operation.rpartition(".")[2].removeprefix("os_")})

    @property
    def ended_in_python(self) -> bool:
        """It ended by an exception that the kernel knows nothing of: a handler's, or that of a failed look-up of a name."""
        return self.outcome in ("error", "interrupted", "cancelled") and self.errno <= 0

    @property
    def is_many(self) -> bool:
        """It makes as many system calls as it takes, perhaps none itself."""
        return self.layer == "tls" or self.operation in _MANY


def why_inside(call: Recorded, step: Syscall) -> str:
    if step.is_interrupted:
        return "retried"
    return "tls" if call.layer == "tls" else "sendfile" if call.is_many else "timeout"


def may_be_silent(call: Recorded) -> bool:
    """Whether a call may have been answered without the kernel."""
    if call.outcome is None:
        return True
    if call.fd < 0 and call.operation not in WAITING + _SIGNAL_WAITS:
        return True
    if call.operation in ("recv", "recv_into") and call.asked == 0:
        return True  # Python answers by itself where no bytes are asked for
    return call.ended_in_python and call.outcome == "error"  # wrong arguments, an address that nobody knows


def is_same_place(call: Recorded, step: Syscall) -> bool:
    if step.name == "epoll_ctl" and step.about != _EPOLL_CTL.get(call.operation, ""):
        return False
    if step.fd < 0 and step.errno == errno.EBADF:
        return call.errno == errno.EBADF  # the trace names the descriptor that it had before it was closed
    return step.fd == call.fd or call.operation in ("select", "poll")


def is_wait_of(call: Recorded, step: Syscall) -> bool:
    """Whether a system call is the wait that Python puts before a call with a timeout."""
    may_wait = bool(call.timeout_ns) or call.operation.startswith("connect")
    return may_wait and step.name in ("poll", "ppoll") and step.watched == (call.fd,) and call.operation not in WAITING


def why_goes_on(call: Recorded, step: Syscall, left: int | None, waited: bool) -> str:
    """Return why Python goes on behind a system call that could have been the last; "": it does not.

    Args:
        call: recorded.
        step: a system call that could be its last.
        left: bytes of a sendall that are still to be sent; None: not known.
        waited: it has waited in poll already.
    """
    if step.is_interrupted:
        ended_there = call.outcome is None or call.errno == errno.EINTR or call.operation == "pause"
        return "" if ended_there else "retried"
    if step.errno in _AGAIN and call.errno != step.errno and call.timeout_ns and call.outcome is not None:
        if call.operation.startswith("connect"):
            return "connect"
        return "timeout" if waited else ""
    if call.operation == "sendall" and step.errno == 0 and step.result is not None and (left is None or step.result < left):
        return "sendall"
    return ""


def told_by_so_error(call: Recorded, step: Syscall) -> str:
    """Return in what a connect differs from the result that SO_ERROR told; "": in nothing."""
    number = 0 if step.about in ("0", "") else getattr(errno, step.about, -1)
    return "" if number == call.errno or call.outcome is None else f"recorded {_named(call.errno)}, made {_named(number)}"


def compare_result(call: Recorded, step: Syscall, left: int | None) -> tuple[str, str]:
    """Return in what a call and its last system call differ ("": in nothing), and what explains it where they seem to."""
    if call.outcome is None:
        return "", "unfinished"
    if step.result is None and not step.errno:
        return f"recorded {said(call)}, but it never returned", ""
    if call.errno or step.errno:
        if call.errno == step.errno or call.operation == "pause" or (call.outcome == "timeout" and call.operation in _SIGNAL_WAITS):
            return "", ""
        if call.ended_in_python:
            return "", "raised"
        if call.operation == "unregister" and step.errno == errno.EBADF:
            return "", "raised"  # before Python 3.9 it says nothing of it
        return f"recorded {said(call)}, made {_named(step.errno) if step.errno else step.result}", ""
    if call.ended_in_python:
        return "", "raised"
    expected = _expected(call, left)
    if expected is not None and expected != step.result:
        return f"recorded {expected:,}, made {step.result:,}", ""
    if call.outcome in ("would_block", "timeout", "in_progress", "refused", "reset", "broken_pipe", "aborted") and step.result:
        return f"recorded {call.outcome}, made {step.result:,}", ""
    return "", ""


def _expected(call: Recorded, left: int | None) -> int | None:
    """Return the result that the kernel must have given; None: it could be any."""
    if call.operation == "accept":
        return call.new_fd
    if call.operation == "sendall":
        return left if left is None or call.result is None or call.asked is None else left + call.result - call.asked
    if call.operation in WAITING or call.syscalls & (RECEIVES | SENDS):
        return call.result
    return None if call.operation in _SIGNAL_WAITS else 0


def said(call: Recorded) -> str:
    """Return what the trace says came of a call, in a word."""
    return _named(call.errno) if call.errno else f"{call.outcome}" if call.result is None else f"{call.result:,}"


def _named(number: int) -> str:
    return errno.errorcode.get(number, str(number)) if number else "success"
