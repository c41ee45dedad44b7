"""Why a system call and a recorded call may differ and both be right: the closed list.

Owns the names and the sentences, which docs/verify.md shows to users (a test compares the two).
What fits none of them is a difference.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """One way in which the program's calls and the kernel's differ by nature.

    Args:
        name: as it is shown.
        says: the sentence behind it.
        counts: the calls belong to what the program did with its sockets; False: they are set aside, in no count.
    """

    name: str
    says: str
    counts: bool = True


_LIST = (
    Explanation("timeout", "a call with a timeout is made on a nonblocking descriptor: Python waits in poll first, and again if need be"),
    Explanation("connect", "a connect that may wait is begun (EINPROGRESS), waited for in poll, and its result asked for with SO_ERROR"),
    Explanation("sendall", "one sendall is as many sends as the kernel needs to take all of it"),
    Explanation("sendfile", "one sendfile goes on until the kernel has taken the whole file"),
    Explanation("retried", "a signal interrupted the system call; Python ran the handler and made it again"),
    Explanation("tls", "a call on a TLS connection reads and writes records on the descriptor below, as many as the protocol needs"),
    Explanation("kernel-times", "with --kernel-times receives are carried out by recvmsg, which alone delivers the kernel's times"),
    Explanation("no system call", "Python could answer without the kernel: detach, TLS in memory, a poll object, a refused call"),
    Explanation("unfinished", "the process ended before the call had returned to Python"),
    Explanation("raised", "Python raised its own exception, which carries no errno, around what the kernel answered"),
    Explanation("collected", "the collector closed a socket that the program no longer held"),
    Explanation("default timeout", "socket.setdefaulttimeout makes a new socket nonblocking before the program holds it"),
    Explanation("wake-up byte", "signal.set_wakeup_fd: the interpreter itself wrote one byte when a signal came"),
    Explanation("ring", "an operation in an io_uring is no system call: strace did not see it, and cannot vouch for it", counts=False),
    Explanation("measuring", "the agent measured at its start, on a socket of its own, what recording one call costs", counts=False),
    Explanation("name resolution", "the C library asked a name service or tried addresses on sockets of its own", counts=False),
    Explanation("unused poller", "an epoll that never watched anything: `selectors` tries one when it is imported", counts=False),
    Explanation("before exec", "a child closed what it had inherited between fork and exec, in C", counts=False),
    Explanation("unrecorded process", "a process without an agent: no Python, or one that the trace names as a blind spot", counts=False),
)  # fmt: skip

EXPLANATIONS = {explanation.name: explanation for explanation in _LIST}
