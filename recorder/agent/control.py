"""How a descriptor was set: fcntl, ioctl and os.set_blocking, as far as they change what calls on it do.

Owns these hooks. Arming signal-driven I/O (F_SETOWN, F_SETSIG, O_ASYNC) and O_NONBLOCK by fcntl are calls on
the tape; whatever made a descriptor blocking or nonblocking is taken over, so that the calls behind it say how
long they could wait. Knows the core's `begin_call` and `end_call`, Sockets, and signals' list of what is armed.
"""

import _functools  # type: ignore[import-not-found]
import os

from . import calls, core, layout, signals
from .lookalike import put_in_place, stand_in
from .raised import pass_on

_partial = _functools.partial
_FCNTL = layout.OPERATIONS["fcntl"]
_NOTHING = layout.NOTHING
# fcntl(2), the same on every Linux that Python runs on.
_F_GETFL, _F_SETFL, _F_SETOWN, _F_SETSIG, _F_GETSIG, _F_SETOWN_EX = 3, 4, 8, 10, 11, 15
_RECORDED = (_F_SETFL, _F_SETOWN, _F_SETSIG, _F_SETOWN_EX)
_O_ASYNC = getattr(os, "O_ASYNC", 0o20000)
_fstat, _get_blocking = os.fstat, os.get_blocking


def _fd_of(told):
    return told if isinstance(told, int) else core.recorder.sockets.fd_of(told)


def _is_socket(fd):
    return fd >= 0 and _fstat(fd).st_mode & 0o170000 == 0o140000


def _take_over(fd):
    """Take over whether calls on a descriptor may block now."""
    try:
        if fd >= 0 and core.recorder.sockets.knows(fd):
            _timeout_by_flag(core.recorder.sockets, fd)
    except BaseException as error:
        pass_on(error)


def _timeout_by_flag(sockets, fd):
    """Take over what O_NONBLOCK says of a descriptor, set without the socket object: a timeout of Python's stays.

    Args:
        sockets: of this process.
        fd: of a socket that is known.
    """
    entry = sockets.by_fd[fd]
    if entry.family < 0:
        return
    waits_ns = -1 if _get_blocking(fd) else 0
    for each in {entry, sockets._by_inode.get(entry.inode)} - {None}:  # copies of a descriptor share the flag
        if each.timeout_ns <= 0:
            each.timeout_ns = waits_ns


def _hook_fcntl(original):
    def fcntl(*args):
        asked = _asked(args)
        if asked is None:
            return original(*args)
        fd, command = _fd_of(args[0]), args[1]
        look_again = _partial(_look_again, original, fd, command)
        expect = _partial(_expect, fd, command, asked)
        result = calls.make(original, args, {}, None, _FCNTL, fd, asked, 0, flags=command, before=expect, failed=look_again)
        if asked == _NOTHING:
            look_again()
            return result
        try:
            _learn(fd, command, asked)
        except BaseException as error:
            pass_on(error)
        return result

    return fcntl


def _asked(args):
    """Return what fcntl is given for a socket, _NOTHING where that is no number; None: this call is not recorded."""
    try:
        if len(args) in (2, 3) and isinstance(args[1], int) and args[1] in _RECORDED and _is_socket(_fd_of(args[0])):
            if len(args) < 3:
                return 0
            return args[2] if isinstance(args[2], int) else _NOTHING
    except BaseException as error:
        pass_on(error)
    return None


def _expect(fd, command, asked, _):
    """Take note of signals that a call of fcntl may bring before it has returned."""
    try:
        if command == _F_SETFL and asked != _NOTHING and asked & _O_ASYNC:
            signals.arm(fd, core.recorder.sockets.number_of_fd(fd))
        elif command == _F_SETSIG and asked != _NOTHING:
            signals.may_send(core.recorder.sockets.number_of_fd(fd), asked)
    except BaseException as error:
        pass_on(error)


def _learn(fd, command, asked):
    """Take over what a call of fcntl has set."""
    number = core.recorder.sockets.number_of_fd(fd)
    if command == _F_SETFL:
        if asked & _O_ASYNC:
            signals.arm(fd, number)
        else:
            signals.disarm(number)
        _take_over(fd)
    elif command == _F_SETSIG:
        signals.sends(number, asked)


def _look_again(original, fd, command):
    """Ask the kernel what holds now: a call failed, a signal handler raised when it had done its work, or it was not given a number."""
    asks = {_F_SETFL: _F_GETFL, _F_SETSIG: _F_GETSIG}.get(command)
    try:
        if asks is not None:
            _learn(fd, command, original(fd, asks))
    except BaseException as error:
        pass_on(error)


def _hook_ioctl(original):
    def ioctl(*args):
        result = original(*args)
        try:
            fd = _fd_of(args[0])
        except Exception as error:
            pass_on(error)
            return result
        _take_over(fd)
        return result

    return ioctl


def _hook_set_blocking(original):
    def set_blocking(*args, **kw):
        result = original(*args, **kw)
        if args and isinstance(args[0], int):
            _take_over(args[0])
        return result

    return set_blocking


def install(fcntl):
    """Put the hooks on the module `fcntl`."""
    fcntl.fcntl = stand_in(_hook_fcntl(fcntl.fcntl), fcntl.fcntl, True)
    fcntl.ioctl = stand_in(_hook_ioctl(fcntl.ioctl), fcntl.ioctl, True)


def install_os():
    """Put the hook on `os.set_blocking`."""
    put_in_place(os, "set_blocking", stand_in(_hook_set_blocking(os.set_blocking), os.set_blocking, True))
