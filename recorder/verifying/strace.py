"""What strace wrote, read back into values: the second witness of a recording.

Owns the text of `strace -f -q -ttt -y -s 0`: lines that another thread's line cut in two, signals,
ends of processes, quoted names with any bytes in them. Reads line by line, in memory that grows
with the socket calls only. Knows no trace, and starts nothing.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

RECEIVES = frozenset({"recvfrom", "recvmsg", "recvmmsg", "recv", "read", "readv"})
SENDS = frozenset({"sendto", "sendmsg", "sendmmsg", "send", "write", "writev", "sendfile", "splice"})
WAITS = frozenset({"select", "pselect6", "poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2"})
# Calls on a descriptor that may be no socket: they count on sockets (and close on pollers) only.
_FILE_CALLS = frozenset({"read", "readv", "write", "writev", "sendfile", "splice", "close", "ioctl", "fcntl"})
_NETWORK_CALLS = frozenset(
    {"accept", "accept4", "bind", "connect", "listen", "shutdown", "setsockopt", "getsockopt", "epoll_ctl"}
) | (RECEIVES | SENDS) - _FILE_CALLS  # fmt: skip
# What fcntl changes of how calls on a descriptor behave.
_SETTINGS = frozenset({"F_SETFL", "F_SETOWN", "F_SETOWN_EX", "F_SETSIG"})
_RESTART = "restart_syscall"
_BIRTHS = frozenset({"clone", "clone3", "fork", "vfork"})
_EXECS = frozenset({"execve", "execveat"})
_SIGNAL_WAITS = frozenset({"rt_sigtimedwait", "pause"})
COUNTED = _FILE_CALLS | _NETWORK_CALLS | WAITS | _SIGNAL_WAITS
# What strace is asked for. A leading ? lets it go on where the kernel or strace has no such call.
TRACED = ",".join(
    f"?{name}"
    for name in sorted(COUNTED | _BIRTHS | _EXECS | {"socket", "socketpair", "epoll_create", "epoll_create1", _RESTART} - {"recv", "send"})
)

_LINE = re.compile(r"(?:\[pid +)?(\d+)\]? +(\d+)\.(\d+) (.*)", re.DOTALL)
_CUT = re.compile(r" *<unfinished \.\.\.>$")
_ENDED_IN = re.compile(r" *<unfinished \.\.\.>\) += \?")
_GOES_ON = re.compile(r"<\.\.\. (\w+) resumed> ?")
_CALL = re.compile(r"(\w+)\((-?\d+)?(?:<((?:[^<>\\]|\\.)*)>)?")
_NOISE = re.compile(r'"(?:[^"\\]|\\.)*"(?:\.\.\.)?|<(?:socket|anon_inode|pipe|/)[^<>]*>')
_RESULT = re.compile(r".*\) += (-?\d+|0x[0-9a-f]+|\?)(?: (E[A-Z0-9_]+))?(.*)", re.DOTALL)
_FD = re.compile(r"fd=(-?\d+)")
_NUMBER = re.compile(r"\d+")
_OPTION = re.compile(r"(\w+), ")
_END = re.compile(r"\+\+\+ (exited with (\d+)|killed by (\w+)|superseded by execve in pid (\d+))")
_RESTARTED = frozenset({"ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ERESTART_RESTARTBLOCK", "EINTR"})


@dataclass(frozen=True)
class Syscall:
    """One system call that strace saw.

    Args:
        thread: the kernel's id of the thread.
        name: of the system call.
        fd: its descriptor; -1: none, or one that is not open.
        target: what was open there, as /proc says it: socket:[4711], anon_inode:[eventpoll]; "" where not known.
        result: what it returned, for a wait how many descriptors were ready; None: it did not return.
        errno: 0: it succeeded; EINTR also where the kernel was to restart it.
        at_ns: when it began, CLOCK_REALTIME.
        line: number of its first line in the text, from 1.
        about: what else tells it apart: the option, the request, the event, the other side.
        watched: descriptors that a poll or select looked at.
        after_signal: a signal had been delivered, and no other call been made since.
    """

    thread: int
    name: str
    fd: int
    target: str
    result: int | None
    errno: int
    at_ns: int
    line: int
    about: str = ""
    watched: tuple[int, ...] = ()
    after_signal: bool = False

    @property
    def is_interrupted(self) -> bool:
        """A signal ended it before it had done anything."""
        return self.errno == errno.EINTR


@dataclass(frozen=True)
class Birth:
    """A thread or process that a call started.

    Args:
        thread: its id.
        parent: the thread that made the call.
        shares: it is a thread of the same process, not a process.
        line: where it is told.
    """

    thread: int
    parent: int
    shares: bool
    line: int


@dataclass(frozen=True)
class Exec:
    """A thread became another program: `line` is where."""

    thread: int
    program: str
    line: int


@dataclass
class Observed:
    """All that strace told: the calls in the order they began in each thread, and who began and ended.

    Args:
        calls: the counted ones.
        made_of: target -> what made it: "AF_INET SOCK_STREAM", and so on.
        births, execs: of processes and threads.
        ends: thread -> how it ended, as strace says.
        lines: how many lines there were.
        unread: lines that are none of strace's.
        threads: every thread that was heard of.
    """

    calls: list[Syscall] = field(default_factory=list)
    made_of: dict[str, str] = field(default_factory=dict)
    births: list[Birth] = field(default_factory=list)
    execs: list[Exec] = field(default_factory=list)
    ends: dict[int, str] = field(default_factory=dict)
    lines: int = 0
    unread: int = 0
    threads: set[int] = field(default_factory=set)


def read_strace(lines: Iterable[str]) -> Observed:
    """Read what strace wrote.

    Args:
        lines: its output, decoded with any codec that keeps ASCII.

    Returns:
        The calls that may concern a socket, and who lived when.
    """
    reader = _Reader()
    for line in lines:
        reader.take(line.rstrip("\n"))
    reader.finish()
    reader.told.calls.sort(key=lambda call: call.line)
    return reader.told


@dataclass
class _Begun:
    text: str
    at_ns: int
    line: int


class _Reader:
    def __init__(self) -> None:
        self.told = Observed()
        self._open: dict[int, _Begun] = {}
        self._signalled: set[int] = set()
        self._interrupted: dict[int, Syscall] = {}  # thread -> a wait that the kernel will go on with

    def take(self, line: str) -> None:
        told = self.told
        told.lines += 1
        found = _LINE.match(line)
        if found is None:
            told.unread += 1
            return
        thread = int(found[1])
        at_ns = int(found[2]) * 1_000_000_000 + int(found[3].ljust(9, "0")[:9])
        text = found[4]
        told.threads.add(thread)
        if text.startswith("+++"):
            self._ended(thread, text)
        elif text.startswith("---"):
            self._signalled.add(thread)
        elif text.startswith("<..."):
            self._goes_on(thread, text)
        elif _CUT.search(text):
            self._open[thread] = _Begun(_CUT.sub("", text), at_ns, told.lines)
        else:
            self._whole(thread, text, at_ns, told.lines)

    def _goes_on(self, thread: int, text: str) -> None:
        begun = self._open.pop(thread, None)
        found = _GOES_ON.match(text)
        if begun is None or found is None:
            self.told.unread += 1
            return
        rest = text[found.end() :]
        if _CUT.search(rest):
            self._open[thread] = _Begun(begun.text + _CUT.sub("", rest), begun.at_ns, begun.line)
            return
        glue = "" if rest.startswith(")") or begun.text.endswith(("(", " ", "=> ")) else " "
        self._whole(thread, begun.text + glue + rest, begun.at_ns, begun.line)

    def _ended(self, thread: int, text: str) -> None:
        found = _END.match(text)
        if found is not None and found[4] and int(found[4]) != thread:
            # Another thread of its process became a new program; from now on that one goes by the process' own id.
            begun = self._open.pop(int(found[4]), None)
            if begun is not None:
                self._open[thread] = begun
            return
        begun = self._open.pop(thread, None)
        if begun is not None:
            self._whole(thread, f"{begun.text}) = ?", begun.at_ns, begun.line)
        self.told.ends[thread] = text
        self._signalled.discard(thread)

    def finish(self) -> None:
        """Take what was still open when the text ended."""
        for thread, begun in list(self._open.items()):
            self._whole(thread, f"{begun.text}) = ?", begun.at_ns, begun.line)
        self._open.clear()

    def _whole(self, thread: int, text: str, at_ns: int, line: int) -> None:
        found = _CALL.match(text)
        if found is None:
            self.told.unread += 1
            return
        name, target = found[1], found[3] or ""
        fd = int(found[2]) if found[2] and name not in ("poll", "ppoll", "select", "pselect6") else -1
        if name in _FILE_CALLS and not _concerns_us(name, fd, target):
            return
        if name == _RESTART:
            self._restarted(thread, text, at_ns, line)
            return
        if name not in COUNTED and name not in _BIRTHS and name not in _EXECS and not name.startswith(("socket", "epoll_create")):
            return
        plain = _ENDED_IN.sub(") = ?", _NOISE.sub(lambda noise: '""' if noise[0][0] == '"' else "", text))
        ended = _RESULT.match(plain)
        result, code, rest = _result(ended)
        if name in COUNTED:
            self._counted(Syscall(thread, name, fd, target, result, code, at_ns, line), text, plain, rest)
        elif name in _BIRTHS:
            if result:
                self.told.births.append(Birth(result, thread, "CLONE_THREAD" in plain, line))
        elif name in _EXECS:
            if result == 0:
                program = re.search(r'"((?:[^"\\]|\\.)*)"', text)
                self.told.execs.append(Exec(thread, program[1] if program else "", self.told.lines))
        elif result is not None and result >= 0:
            kind = " ".join(_words(plain))
            for made in re.findall(r"\d+<(socket:\[\d+\])>", text):
                self.told.made_of[made] = kind
            if name.startswith("epoll_create"):
                self._add(Syscall(thread, "epoll_create", result, "anon_inode:[eventpoll]", result, code, at_ns, line))

    def _restarted(self, thread: int, text: str, at_ns: int, line: int) -> None:
        """Take the rest of a wait that a signal without a handler had stopped: strace names it, but not what it waits for."""
        before = self._interrupted.get(thread)
        if before is not None:
            result, code, _ = _result(_RESULT.match(_ENDED_IN.sub(") = ?", text)))
            self._add(replace(before, result=result, errno=code, at_ns=at_ns, line=line, after_signal=False))

    def _counted(self, call: Syscall, text: str, plain: str, rest: str) -> None:
        about, result = "", call.result
        watched: tuple[int, ...] = ()
        if call.name in WAITS:
            watched, result = _wait(call, plain, rest)
            if call.name in ("select", "pselect6") and plain.startswith((f"{call.name}(0, NULL, NULL, NULL",)):
                return  # how Python slept before 3.11
        elif call.name in ("setsockopt", "getsockopt"):
            about = " ".join(_OPTION.findall(plain)[1:3])
            if call.name == "getsockopt":
                if "SO_ERROR" not in plain:
                    return
                value = re.search(r"SO_ERROR, \[(\w+)\]", plain)
                about = value[1] if value else ""
        elif call.name == "ioctl":
            if "FIONBIO" not in plain:
                return
            about = "FIONBIO"
        elif call.name == "fcntl":
            about = next((word for word in _OPTION.findall(plain) if word in _SETTINGS), "")
            if not about:
                return
        elif call.name == "epoll_ctl":
            about = next((word[10:] for word in ("EPOLL_CTL_ADD", "EPOLL_CTL_MOD", "EPOLL_CTL_DEL") if word in plain), "")
        elif call.name == "connect":
            place = re.search(r'sun_path=@?"((?:[^"\\]|\\.)*)"|sin6?_port=htons\((\d+)\)', text)
            about = (place[1] or place[2]) if place else ""
        signalled = call.thread in self._signalled
        self._signalled.discard(call.thread)
        self._add(
            Syscall(call.thread, call.name, call.fd, call.target, result, call.errno, call.at_ns, call.line, about, watched, signalled)
        )

    def _add(self, call: Syscall) -> None:
        self.told.calls.append(call)
        if call.is_interrupted:
            self._interrupted[call.thread] = call


def _concerns_us(name: str, fd: int, target: str) -> bool:
    if target.startswith("socket:") or (name == "ioctl" and fd < 0):
        return True
    return name == "close" and target == "anon_inode:[eventpoll]"


def _result(found: re.Match[str] | None) -> tuple[int | None, int, str]:
    """Return result, errno and what follows them."""
    if found is None:
        return None, 0, ""
    word, code, rest = found[1], found[2], found[3]
    if code in _RESTARTED:
        return None, errno.EINTR, rest
    number = getattr(errno, code, -1) if code else 0
    if word == "?":
        return None, number, rest
    return int(word, 0), number, rest


def _words(plain: str) -> list[str]:
    """Return the constants among a call's arguments."""
    return re.findall(r"\b(?:AF_\w+|SOCK_(?:STREAM|DGRAM|RAW|SEQPACKET|RDM))\b", plain)


def _wait(call: Syscall, plain: str, rest: str) -> tuple[tuple[int, ...], int | None]:
    """Return the descriptors a wait looked at, and how many different ones it found ready."""
    if call.name.startswith("epoll"):
        return (), call.result
    if call.name in ("poll", "ppoll"):
        arguments = plain[: plain.find("]") + 1]
        return tuple(int(fd) for fd in _FD.findall(arguments)), call.result
    before, _, _ = plain.rpartition(") = ")
    watched = {int(fd) for group in re.findall(r"\[([\d ]*)\]", before) for fd in _NUMBER.findall(group)}
    if call.result is None or call.result <= 0:
        return tuple(sorted(watched)), call.result
    ready = {int(fd) for group in re.findall(r"(?:in|out|exc(?:ept)?) \[([\d ]*)\]", rest) for fd in _NUMBER.findall(group)}
    return tuple(sorted(watched)), len(ready) if ready else call.result
