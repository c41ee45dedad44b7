"""io_uring, through a module whose functions are named as in liburing: what is submitted, waited for and completed.

Owns which request is which. A request is a call that begins when it is submitted and ends when the program
gives its completion back (`io_uring_cqe_seen`, `io_uring_cq_advance`). Requests overlap, so that they stand on a
thread of the ring's own, not on that of the program. Links say which submit began one and which wait brought it.
"""

import _socket
import errno
import os
import sys

from . import calls, core, layout
from .lookalike import dress
from .outcomes import failure

_getframe, _Socket = sys._getframe, _socket.socket
_get_blocking, _set_blocking = os.get_blocking, os.set_blocking
_OPERATIONS, _NOTHING = layout.OPERATIONS, layout.NOTHING
_OK, _EOF, _CANCELLED = (layout.OUTCOMES[name] for name in ("ok", "eof", "cancelled"))
_ACCEPT, _RECV, _SEND = (_OPERATIONS["ring_" + name] for name in ("accept", "recv", "send"))
_OTHER = _OPERATIONS["ring_other"]
_MORE = 2  # IORING_CQE_F_MORE: the request goes on
_PREP = "io_uring_prep_"
_KINDS = {
    name: _OPERATIONS["ring_" + kind]
    for kind, names in {
        "accept": ("accept", "multishot_accept"),
        "recv": ("recv", "recv_multishot", "recvmsg", "read", "readv"),
        "send": ("send", "send_zc", "sendto", "sendmsg", "sendmsg_zc", "write", "writev"),
        "connect": ("connect",),
        "close": ("close",),
        "shutdown": ("shutdown",),
        "poll": ("poll_add", "poll_multishot"),
    }.items()
    for name in names
}
_SUBMITS = ("io_uring_submit", "io_uring_submit_and_get_events")
_SUBMIT_AND_WAIT = ("io_uring_submit_and_wait", "io_uring_submit_and_wait_timeout")
_WAITS = ("io_uring_wait_cqe", "io_uring_wait_cqes", "io_uring_wait_cqe_nr", "io_uring_wait_cqe_timeout")
_PEEKS = ("io_uring_peek_cqe", "io_uring_peek_batch_cqe")
MODULES = tuple("liburing." + name for name in ("queue", "helper", "socket", "file", "poll", "os", "other", "common"))


class _Request:
    __slots__ = ("asked", "buffer", "call", "fd", "kept", "operation", "sqe")


class _Ring:
    """What is known of one ring. It holds the ring itself, so that no other gets its id."""

    def __init__(self, ring):
        self.ring = ring
        self.prepared = []  # requests that were filled in and not submitted
        self.pending = {}  # user data -> requests the kernel works on, the oldest first
        self.thread = None
        self.last_cqe = None
        self.wait = -1  # number of the call that last brought completions
        self.fd = -1


class Rings:
    """The rings of one process."""

    def __init__(self):
        self.tape = core.recorder.tape
        self.rings = {}
        self.owners = {}  # id of an empty request -> (it, its ring)
        self.loose = {}  # id of a request that belongs to no ring yet -> _Request

    def of(self, ring):
        """Return what is known of a ring."""
        found = self.rings.get(id(ring))
        if found is None:
            found = self.rings[id(ring)] = _Ring(ring)
        if found.thread is None:
            fd = getattr(ring, "ring_fd", None)
            found.fd = getattr(ring, "fd", -1) if fd is None else fd
            thread = found.thread = core.recorder.thread_type()
            thread.id, thread.current = core.recorder.next_thread(), 0
            self.tape.note(layout.NOTE_THREAD, thread.id, 0, "io_uring fd %d" % found.fd)
        return found

    def prepared(self, kind, args):
        """Take in a request that was filled in."""
        request = _Request()
        request.sqe, request.operation = args[0], kind
        request.fd = args[1] if len(args) > 1 and type(args[1]) is int else -1
        request.asked = args[3] if kind in (_RECV, _SEND) and len(args) > 3 and type(args[3]) is int else _NOTHING
        request.buffer = args[2] if kind in (_RECV, _SEND) and len(args) > 2 else None
        owner = self.owners.pop(id(args[0]), None)
        if owner is not None:
            owner[1].prepared.append(request)
        else:
            self.loose[id(args[0])] = request

    def submitting(self, found, number):
        """Begin the requests that a submit hands over."""
        requests, found.prepared = found.prepared, []
        for request in requests:
            request.kept = b""
            if request.operation == _SEND and request.buffer is not None:
                request.kept = bytes(memoryview(request.buffer).cast("B")[: core.recorder.payload_bytes])
            self.begin(found, request)
            if request.call is not None:
                found.pending.setdefault(request.sqe.user_data, []).append(request)
                self.link(number, request.call.number, "submitted")

    def begin(self, found, request):
        """Open the call of a request."""
        request.call = core.begin_request(request.operation, request.fd, request.asked, found.thread)

    def link(self, before, after, kind):
        """Note that one call goes with another."""
        if before >= 0:
            self.tape.note(layout.NOTE_LINK, before, after, kind)

    def completed(self, found, cqe):
        """End the request whose completion the program has read."""
        waiting = found.pending.get(cqe.user_data)
        if not waiting:
            return
        request, ended_ns, result = waiting[0], core.now_ns(), cqe.res
        call, more = request.call, cqe.flags & _MORE
        if not more:
            del waiting[0]
            if not waiting:
                del found.pending[cqe.user_data]
        self.link(found.wait, call.number, "completed")
        moved, outcome, code = self._came_of_it(request, result, ended_ns)
        core.end_request(call, ended_ns, moved, outcome, code)
        if more:
            self.begin(found, request)

    def _came_of_it(self, request, result, ended_ns):
        if result < 0:
            if result == -errno.ECANCELED:
                return _NOTHING, _CANCELLED, -result
            outcome, code = failure(OSError(-result, ""), None, 0)
            return _NOTHING, outcome, code
        if request.operation == _ACCEPT:
            return _accepted(request.fd, result, ended_ns), _OK, 0
        if request.operation == _RECV:
            if request.buffer is not None:
                core.keep_payload(request.call.number, result, request.buffer)
            return result, _EOF if not result and request.asked != 0 else _OK, 0
        if request.operation == _SEND:
            core.keep_payload(request.call.number, result, request.kept)
        return result, _OK, 0


def _accepted(listener_fd, fd, at_ns):
    """Return the number of a socket that the kernel accepted."""
    sockets = core.recorder.sockets
    listener = sockets.by_fd.get(listener_fd)
    if listener is None:
        return sockets.number_of_fd(fd)
    blocking = _get_blocking(fd)
    sock = _Socket(fileno=fd)
    try:
        return sockets.accepted(listener, fd, sock.getpeername(), sock, at_ns).id
    finally:
        sock.detach()
        if _get_blocking(fd) != blocking:  # a default timeout of the program made it nonblocking
            _set_blocking(fd, blocking)


_state = None


def _rings():
    """Return the state of this process: a forked child has no part in its parent's."""
    global _state
    if _state is None or _state.tape is not core.recorder.tape:
        _state = Rings()
    return _state


def _quietly(function, *args):
    try:
        return function(*args)
    except Exception as error:
        core.fault(error)
        return None


def _hook_call(original, operation, asks_wait, names):
    """Wrap what enters the kernel: a submit, a wait or both."""

    def enter(*args, **kw):
        if not args or _getframe(1).f_globals is names:
            return original(*args, **kw)
        known, waits = _quietly(_rings), operation == _OPERATIONS["ring_wait"]
        found = _quietly(known.of, args[0]) if known is not None else None
        if found is None:
            return original(*args, **kw)
        wanted = [*[arg for arg in [*args[1:], *kw.values()] if type(arg) is int], 1 if waits else 0][0]
        waits = wanted > 0 if asks_wait else waits
        code = _OPERATIONS["ring_wait"] if waits else _OPERATIONS["ring_submit"]

        def before(call):
            _quietly(known.submitting, found, call.number)
            if len(args) > 1 and type(args[1]) is not int:
                found.last_cqe = args[1]

        def finish(call, result, ended_ns):
            found.wait = call.number
            return result if type(result) is int and result >= 0 else _NOTHING, _OK

        asked = wanted if waits else len(found.prepared)
        return calls.make(original, args, kw, finish, code, found.fd, asked, -1 if waits else 0, before=before)

    return enter


def _hook_after(original, after, names):
    """Wrap what is only looked at: after(rings, args, result) once it is done."""

    def call(*args, **kw):
        result = original(*args, **kw)
        if args and _getframe(1).f_globals is not names:
            _quietly(lambda: after(_rings(), args, result))
        return result

    return call


def _hook_before(original, before, names):
    def call(*args, **kw):
        if args and _getframe(1).f_globals is not names:
            _quietly(lambda: before(_rings(), args))
        return original(*args, **kw)

    return call


def _got_sqe(rings, args, result):
    if result is not None:
        rings.owners[id(result)] = (result, rings.of(args[0]))


def _put_sqe(rings, args, result):
    if result:
        owner = rings.of(args[0])
        for at in range(max(1, len(args[1]))):
            request = rings.loose.pop(id(args[1][at]), None)
            if request is not None:
                owner.prepared.append(request)


def _peeked(rings, args, result):
    rings.of(args[0]).last_cqe = args[1]


def _seen(rings, args):
    rings.completed(rings.of(args[0]), args[1])


def _advanced(rings, args):
    found = rings.of(args[0])
    for at in range(args[1] if found.last_cqe is not None else 0):
        rings.completed(found, found.last_cqe[at])


def _exited(rings, args):
    rings.rings.pop(id(args[0]), None)


def install(module):
    """Wrap those functions of a module that are named as in liburing."""
    names = vars(module)
    table = dict.fromkeys(_SUBMITS, (_hook_call, _OPERATIONS["ring_submit"], False))
    table.update((name, (_hook_call, _OPERATIONS["ring_wait"], True)) for name in _SUBMIT_AND_WAIT)
    table.update((name, (_hook_call, _OPERATIONS["ring_wait"], False)) for name in _WAITS)
    table.update((name, (_hook_after, _peeked)) for name in _PEEKS)
    table.update({
        "io_uring_get_sqe": (_hook_after, _got_sqe), "io_uring_put_sqe": (_hook_after, _put_sqe),
        "io_uring_cqe_seen": (_hook_before, _seen), "io_uring_cq_advance": (_hook_before, _advanced),
        "io_uring_queue_exit": (_hook_before, _exited),
    })  # fmt: skip
    for name, original in list(names.items()):
        if name in table:
            hook, *how = table[name]
            names[name] = dress(hook(original, *how, names), original)
        elif name.startswith(_PREP) and callable(original):
            kind = _KINDS.get(name[len(_PREP) :], _OTHER)
            names[name] = dress(_hook_after(original, lambda rings, args, _, kind=kind: rings.prepared(kind, args), names), original)
