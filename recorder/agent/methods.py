"""Every recorded method of `socket.socket`: what its arguments ask, what its result says.

Owns the table METHODS and putting it on the class. Knows both cores, not the tape.
"""

import _socket

from . import core, layout
from .lookalike import BoundMethod, Method, dress
from .naming import timeout_to_ns
from .outcomes import connect_outcome
from .python_core import hook

_NOTHING = layout.NOTHING
_OK = layout.OUTCOMES["ok"]
_IN_PROGRESS = layout.OUTCOMES["in_progress"]
_EOF = layout.OUTCOMES["eof"]
_RAW = _socket.socket
_fileno = _RAW.fileno
_NONE = (_NOTHING, 0, None)


# What is asked: (args, kw) -> (asked, flags, address or None).


def _ask_nothing(args, kw):
    return _NONE


def _ask_number(args, kw):
    return (args[0].__index__() if args else _NOTHING), 0, None


def _ask_truth(args, kw):
    return (1 if args[0] else 0), 0, None


def _ask_address(args, kw):
    return _NOTHING, 0, args[0] if args else None


def _ask_into(args, kw):
    buffer = args[0] if args else kw["buffer"]
    wanted = args[1] if len(args) > 1 else kw.get("nbytes", 0)
    return wanted or memoryview(buffer).nbytes, args[2] if len(args) > 2 else kw.get("flags", 0), None


def _ask_recvmsg(args, kw):
    return args[0], args[2] if len(args) > 2 else 0, None


def _ask_recvmsg_into(args, kw):
    return sum_of(args[0]), args[2] if len(args) > 2 else 0, None


def ask_send(args, kw):
    return memoryview(args[0]).nbytes, args[1] if len(args) > 1 else 0, None


def _ask_sendto(args, kw):
    if len(args) > 2:
        return memoryview(args[0]).nbytes, args[1], args[2]
    return memoryview(args[0]).nbytes, 0, args[1]


def _ask_sendmsg(args, kw):
    return sum_of(args[0]), args[2] if len(args) > 2 else 0, args[3] if len(args) > 3 else None


def _ask_sendfile(args, kw):
    count = args[2] if len(args) > 2 else kw.get("count")
    return _NOTHING if count is None else count, 0, None


def _ask_timeout(args, kw):
    return (_NOTHING if args[0] is None else timeout_to_ns(args[0])), 0, None


def _ask_option(args, kw):
    level, option = args[0], args[1]
    value = args[2] if isinstance(args[2], int) else _NOTHING
    return value, (level & 0xFFFF) << 16 | option & 0xFFFF, None


def sum_of(buffers):
    """Return the bytes in a list of buffers; an iterator must not be used up by us."""
    if isinstance(buffers, (list, tuple)):
        return sum([memoryview(buffer).nbytes for buffer in buffers])
    return _NOTHING


# What came of it, after a success: (entry, sock, args, kw, result, number, buffer, at, asked, ended) -> (result,
# outcome, errno) for the slot, and the first bytes kept.


def _end_of(entry, moved, asked):
    return _EOF if not moved and asked > 0 and entry.stream else _OK


def _got_bytes(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    moved = len(result)
    core.keep_payload(number, moved, result)
    core.received(entry, number, moved, result)
    return moved, _end_of(entry, moved, asked), 0


def _got_bytes_from(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    data, address = result[0], result[-1]
    moved = len(data)
    core.keep_payload(number, moved, data)
    core.set_peer(buffer, at, entry, address)
    core.recorder.sockets.name_unbound(entry, sock)
    return moved, _end_of(entry, moved, asked), 0


def _got_message(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    if result[1]:
        core.passed(result[1])
    return _got_bytes_from(entry, sock, args, kw, result, number, buffer, at, asked, ended)


def _filled(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    data = args[0] if args else kw["buffer"]
    core.keep_payload(number, result, data)
    core.received(entry, number, result, data)
    return result, _end_of(entry, result, asked), 0


def _filled_from(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    moved = result[0]
    core.keep_payload(number, moved, args[0] if args else kw["buffer"])
    core.set_peer(buffer, at, entry, result[1])
    return moved, _end_of(entry, moved, asked), 0


def _scattered(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    moved = result[0]
    if isinstance(args[0], (list, tuple)):
        core.keep_payload(number, moved, core.joined(args[0]))
    core.set_peer(buffer, at, entry, result[3])
    if result[1]:
        core.passed(result[1])
    return moved, _end_of(entry, moved, asked if asked != _NOTHING else 1), 0


def sent(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    core.keep_payload(number, result, args[0])
    return result, _OK, 0


def _sent_all(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    core.keep_payload(number, asked, args[0])
    return asked, _OK, 0


def _gathered(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    if isinstance(args[0], (list, tuple)):
        core.keep_payload(number, result, core.joined(args[0]))
    return result, _OK, 0


def _sent_file(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    return result, _OK, 0


def _accepted(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    fd, address = result
    return core.accepted(entry, sock, fd, address, ended), _OK, 0


def _connected(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    core.refresh(entry, sock, "connected")
    return _NOTHING, _OK, 0


def _connected_or_not(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    outcome = connect_outcome(result, entry.timeout_ns)
    core.refresh(entry, sock, "connected")
    if outcome == _IN_PROGRESS:
        core.connecting(entry)
    return _NOTHING, outcome, result


def _bound(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    core.refresh(entry, sock, "")
    return _NOTHING, _OK, 0


def _listening(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    core.refresh(entry, sock, "listener")
    return _NOTHING, _OK, 0


def _timeout_set(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    core.new_timeout(entry, sock)
    return _NOTHING, _OK, 0


def _detached(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    core.detached(entry, sock, ended)
    return _NOTHING, _OK, 0


def _closed(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    core.closed(entry, "close", ended)
    return _NOTHING, _OK, 0


# name on the class -> (operation, ask, finish, before). `ask` None: first argument asked, second flags; `finish` None:
# nothing to say; `before`: function(entry, sock), called before the call is made.
METHODS = {
    "_accept": ("accept", _ask_nothing, _accepted, None),
    "recv": ("recv", None, _got_bytes, None),
    "recv_into": ("recv_into", _ask_into, _filled, None),
    "recvfrom": ("recvfrom", None, _got_bytes_from, None),
    "recvfrom_into": ("recvfrom_into", _ask_into, _filled_from, None),
    "recvmsg": ("recvmsg", _ask_recvmsg, _got_message, None),
    "recvmsg_into": ("recvmsg_into", _ask_recvmsg_into, _scattered, None),
    "send": ("send", ask_send, sent, None),
    "sendall": ("sendall", ask_send, _sent_all, None),
    "sendto": ("sendto", _ask_sendto, sent, None),
    "sendmsg": ("sendmsg", _ask_sendmsg, _gathered, None),
    "sendfile": ("sendfile", _ask_sendfile, _sent_file, None),
    "connect": ("connect", _ask_address, _connected, None),
    "connect_ex": ("connect_ex", _ask_address, _connected_or_not, None),
    "bind": ("bind", _ask_address, _bound, None),
    "listen": ("listen", _ask_number, _listening, None),
    "shutdown": ("shutdown", _ask_number, None, None),
    "_real_close": ("close", _ask_nothing, _closed, core.leave_fd),
    "detach": ("detach", _ask_nothing, _detached, None),
    "setblocking": ("setblocking", _ask_truth, _timeout_set, None),
    "settimeout": ("settimeout", _ask_timeout, _timeout_set, None),
    "setsockopt": ("setsockopt", _ask_option, None, None),
}


# How the C core finds out by itself what the callbacks above would tell, for exact bytes and numbers.
_NATIVE_ASK = {None: "ASK_NUMBER", _ask_nothing: "ASK_NOTHING", _ask_truth: "ASK_TRUTH", ask_send: "ASK_BUFFER"}
_NATIVE_FINISH = {
    None: "FINISH_NOTHING", _got_bytes: "FINISH_BYTES", sent: "FINISH_COUNT", _sent_all: "FINISH_ALL",
    _accepted: "FINISH_ACCEPTED", _timeout_set: "FINISH_TIMEOUT", _closed: "FINISH_CLOSED",
}  # fmt: skip


def install(cls, recorder):
    """Put the recording methods on a class.

    Args:
        cls: `socket.socket`.
        recorder: whose core they call.
    """
    for name in METHODS:
        original = getattr(cls, name, None)
        if original is not None:
            setattr(cls, name, recording(name, original, name in vars(cls), recorder))
    if recorder.arrivals is not None:
        recorder.arrivals.install(cls)


def recording(name, original, is_function, recorder):
    """Return what stands in for a method and records it.

    Args:
        name: of the method.
        original: that method.
        is_function: it is written in Python, not a method of the C class.
        recorder: whose core it calls.
    """
    operation, ask, finish, before = METHODS[name]
    code = layout.OPERATIONS[operation]
    arrivals = recorder.arrivals
    if recorder.core is not None:
        if is_function:
            return dress(_calling(_native_method(recorder, original, code, ask, finish, _RAW)), original)
        return _native_method(recorder, original, code, ask, finish)
    if is_function:
        hooked = hook(original, code, ask, finish, before)
        return dress(_unless_gone(hooked, original) if finish is _closed else hooked, original)
    made = original if arrivals is None else arrivals.receiving(name, original)
    hooked = hook(made, code, ask, finish, before, arrivals.ready_ns if arrivals is not None and name.startswith("recv") else None)
    hooked.__name__ = name
    hooked.__wrapped__ = original
    return Method(hooked, original)


def recording_close(original, recorder):
    """Return what stands in for the `close` of a C socket that a program uses as it is.

    Args:
        original: that method.
        recorder: whose core it calls.
    """
    operation, ask, finish, before = METHODS["_real_close"]
    if recorder.core is not None:
        return _native_method(recorder, original, layout.OPERATIONS[operation], ask, finish)
    hooked = _unless_gone(hook(original, layout.OPERATIONS[operation], ask, finish, before), original)
    hooked.__name__ = "close"
    hooked.__wrapped__ = original
    return Method(hooked, original)


def _unless_gone(recorded, original):
    """Return a function that closes: to close again what has no descriptor left does nothing, and is no call."""

    def hooked(sock, *args, **kw):
        entry = core.recorder.sockets.entries.get(id(sock))
        if entry is not None and not entry.open and _fileno(sock) < 0:
            return original(sock, *args, **kw)
        return recorded(sock, *args, **kw)

    return hooked


def _calling(native):
    """Return a function of Python, as the one that it stands for is one, around a method of the C core."""

    def hooked(sock, *args, **kw):
        return native(sock, *args, **kw)

    return hooked


def _native_method(recorder, original, code, ask, finish, owner=None):
    """Return a method of the C core.

    Args:
        recorder: whose core it calls.
        original: method descriptor, or a function that is called behind one of ours.
        code: of the operation.
        ask, finish: as in METHODS.
        owner: class of the objects that a function is a method of; None: the method descriptor knows.
    """
    native = recorder.native
    ask_kind = getattr(native, _NATIVE_ASK.get(ask, "ASK_PYTHON"))
    finish_kind = getattr(native, _NATIVE_FINISH.get(finish, "FINISH_PYTHON"))
    return recorder.core.method(original, code, ask_kind, ask, finish_kind, finish, BoundMethod, None, owner)
