"""Functions that know a socket by its descriptor only: `os.read`, `os.write`, `os.close`, `os.dup` and their like.

Owns what such a call asks and what its result says. Only calls on sockets are recorded. Programs read
and write files with the same functions, so that a descriptor is looked at once: after that, one look
into `Recorder.files` lets its calls pass. A number leaves that set as soon as it may mean something new.

Python's own timeouts are nothing to these calls: a descriptor is O_NONBLOCK, or the call may wait for ever.
"""

import os
import sys

from . import calls, core, layout
from .entries import inode_of
from .lookalike import dress, put_in_place, stand_in, veil
from .methods import sum_of
from .raised import pass_on

_NOTHING = layout.NOTHING
_OK, _EOF = layout.OUTCOMES["ok"], layout.OUTCOMES["eof"]
_CLOSE = layout.OPERATIONS["close"]
_get_blocking, _getframe = os.get_blocking, sys._getframe
_IN_A_METHOD = "_sendfile_use_sendfile"  # of `socket.sendfile`: that call is recorded, its parts would count twice
_FILE_OBJECT = "a file object was opened on a socket's descriptor (os.fdopen): what it reads and writes is not seen"


# What is asked: (args, kw) -> bytes.


def _ask_count(args, kw):
    return args[1].__index__()


def _ask_data(args, kw):
    return memoryview(args[1]).nbytes


def _ask_buffers(args, kw):
    return sum_of(args[1])


def _ask_sendfile(args, kw):
    return (args[3] if len(args) > 3 else kw["count"]).__index__()


def _ask_splice(args, kw):
    return (args[2] if len(args) > 2 else kw["count"]).__index__()


# What came of it: -> (bytes moved, outcome).


def _end_of(entry, moved, asked):
    return _EOF if not moved and asked != 0 and entry.stream else _OK


def _read(entry, number, args, asked, result):
    core.keep_payload(number, len(result), result)
    return len(result), _end_of(entry, len(result), asked)


def _scattered(entry, number, args, asked, result):
    if isinstance(args[1], (list, tuple)):
        core.keep_payload(number, result, core.joined(args[1]))
    return result, _end_of(entry, result, asked)


def _written(entry, number, args, asked, result):
    core.keep_payload(number, result, args[1])
    return result, _OK


def _gathered(entry, number, args, asked, result):
    if isinstance(args[1], (list, tuple)):
        core.keep_payload(number, result, core.joined(args[1]))
    return result, _OK


def _counted(entry, number, args, asked, result):
    return result, _OK


def _spliced(entry, number, args, asked, result):
    came_from = args and core.recorder.sockets.by_fd.get(args[0]) is entry
    return result, _end_of(entry, result, asked) if came_from else _OK


# name -> (ask, finish, names of the arguments that may be a socket's descriptor).
_MOVING = {
    "read": (_ask_count, _read, ()),
    "write": (_ask_data, _written, ()),
    "readv": (_ask_buffers, _scattered, ()),
    "writev": (_ask_buffers, _gathered, ()),
    "sendfile": (_ask_sendfile, _counted, ("out_fd",)),
    "splice": (_ask_splice, _spliced, ("src", "dst")),
}


def _socket_of(fd):
    """Return the Entry of the socket on a descriptor, or None."""
    try:
        core.settle()
        return core.recorder.sockets.socket_on(fd)
    except Exception as error:
        pass_on(error)
        return None


def _hook_moving(name, original, files):
    operation = layout.OPERATIONS[name]
    ask, finish, _ = _MOVING[name]

    def move(*args, **kw):
        if args and type(args[0]) is int and args[0] not in files:
            entry = _socket_of(args[0])
            if entry is not None:
                return _record(original, operation, entry, ask, finish, args, kw)
        return original(*args, **kw)

    return move


def _hook_moving_by_name(name, original, files):
    """Wrap a function whose descriptors have names, and of which the first that is a socket counts."""
    operation = layout.OPERATIONS[name]
    ask, finish, names = _MOVING[name]

    def move(*args, **kw):
        if _getframe(1).f_code.co_name == _IN_A_METHOD:
            return original(*args, **kw)
        for position, argument in enumerate(names):
            fd = args[position] if position < len(args) else kw.get(argument)
            if type(fd) is int and fd not in files:
                entry = _socket_of(fd)
                if entry is not None:
                    return _record(original, operation, entry, ask, finish, args, kw)
        return original(*args, **kw)

    return move


def _described(entry, ask, args, kw):
    """Return (what is asked, timeout in ns), None where it cannot be described: the original will refuse it."""
    try:
        return ask(args, kw), -1 if _get_blocking(entry.fd) else 0
    except Exception as error:
        pass_on(error)
        return None


def _record(original, operation, entry, ask, finish, args, kw):
    """Make a call on a socket and record it."""
    told = _described(entry, ask, args, kw)
    if told is None:
        return original(*args, **kw)
    asked, timeout_ns = told

    def finish_call(call, result, ended_ns):
        return finish(entry, call.number, args, asked, result)

    return calls.make(original, args, kw, finish_call, operation, entry.fd, asked, timeout_ns, entry.id, entry=entry, depth=4)


def _nothing_asked(args, kw):
    return _NOTHING


def _hook_close(original, files):
    def close(*args, **kw):
        fd = args[0] if args else kw.get("fd")
        if type(fd) is int and len(args) + len(kw) == 1:
            files.discard(fd)
            if fd in core.recorder.sockets.by_fd:
                return _record_close(original, fd, args, kw)
        return original(*args, **kw)

    return close


def _record_close(original, fd, args, kw):
    try:
        core.settle()
        sockets = core.recorder.sockets
        entry = sockets.leaving(fd)
    except Exception as error:
        pass_on(error)
        entry = None
    if entry is None:
        return original(*args, **kw)
    _, timeout_ns = _described(entry, _nothing_asked, args, kw) or (_NOTHING, 0)

    def finish(call, result, ended_ns):
        _closed(entry, ended_ns)
        return _NOTHING, _OK

    try:
        return calls.make(original, args, kw, finish, _CLOSE, entry.fd, _NOTHING, timeout_ns, entry.id, depth=4)
    finally:
        if entry.open:  # Linux lets go of the descriptor whatever close says; but a handler may have raised before it was called
            if inode_of(entry.fd) == entry.inode:
                sockets.by_fd.setdefault(entry.fd, entry)
            else:
                _closed(entry, core.now_ns())


def _closed(entry, at_ns):
    try:
        core.closed(entry, "close", at_ns)
    except Exception as error:
        pass_on(error)


def _hook_closerange(original, files):
    def closerange(*args, **kw):
        entries = ()
        try:
            low, high = args
            files.discard_range(low, high)
            sockets = core.recorder.sockets
            known = [sockets.leaving(fd) for fd in list(sockets.by_fd) if low <= fd < high]
            entries = [entry for entry in known if entry is not None]
        except Exception as error:
            pass_on(error)
        result = original(*args, **kw)
        ended_ns = core.now_ns()
        for entry in entries:
            _closed(entry, ended_ns)
        return result

    return closerange


def _hook_copying(original, files):
    """Wrap dup and dup2: what they return is a copy of their first argument."""

    def copy(*args, **kw):
        result = original(*args, **kw)
        try:
            if type(args[0]) is int and result != args[0]:
                _copied(args[0], result, files)
        except Exception as error:
            pass_on(error)
        return result

    return copy


def _copied(fd, copy, files):
    sockets = core.recorder.sockets
    sockets.replaced(copy)
    entry = sockets.socket_on(fd) if fd not in files else None
    if entry is not None:
        sockets.socket_on(copy, source=entry)


def _hook_fdopen(original, files):
    told = []

    def fdopen(*args, **kw):
        fd = args[0] if args else kw.get("fd")
        if not told and type(fd) is int and fd not in files and _socket_of(fd) is not None:
            told.append(True)
            try:
                core.recorder.tape.note(layout.NOTE_BLIND, 0, _FILE_OBJECT)
            except Exception as error:
                pass_on(error)
        return original(*args, **kw)

    return fdopen


def _hook_socketpair(original):
    def paired(ends):
        try:
            core.recorder.sockets.pair(*ends)
        except Exception as error:
            pass_on(error)

    paired = veil(paired, True)

    def socketpair(*args, **kw):
        ends = original(*args, **kw)
        paired(ends)
        return ends

    return socketpair


def _gate(recorder, original, hooked, closes):
    """Return what stands in for a function whose first argument is a descriptor: with the C core, files pass in C.

    Args:
        closes: it closes the descriptor, which is no file's from then on.
    """
    if recorder.native is None:
        return stand_in(hooked, original, True)
    return recorder.native.Gate(original, veil(hooked, True), recorder.files, closes)


def install(recorder):
    """Put the recording functions of `os` in place."""
    files = recorder.files
    for name, (_, _, names) in _MOVING.items():
        original = getattr(os, name, None)
        if original is not None:
            if names:
                put_in_place(os, name, stand_in(_hook_moving_by_name(name, original, files), original, True))
            else:
                put_in_place(os, name, _gate(recorder, original, _hook_moving(name, original, files), False))
    put_in_place(os, "close", _gate(recorder, os.close, _hook_close(os.close, files), True))
    for name, wrap in {"closerange": _hook_closerange, "dup": _hook_copying, "dup2": _hook_copying}.items():
        original = getattr(os, name)
        put_in_place(os, name, stand_in(wrap(original, files), original, True))
    os.fdopen = dress(_hook_fdopen(os.fdopen, files), os.fdopen)


def install_socket(socket, recorder):
    """Put the recording functions of the module `socket` in place: those that take or make descriptors."""
    files = recorder.files
    put_in_place(socket, "close", _gate(recorder, socket.close, _hook_close(socket.close, files), True))
    put_in_place(socket, "dup", stand_in(_hook_copying(socket.dup, files), socket.dup, True))
    socket.socketpair = dress(_hook_socketpair(socket.socketpair), socket.socketpair)
