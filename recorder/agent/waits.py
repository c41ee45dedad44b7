"""Every way of waiting for readiness: select, poll and epoll, wrapped in place.

Owns what such a call asks and which sockets it reported. Knows the core's `begin_call` and
`end_call`, which write the slot, and Sockets, which knows whose descriptor is whose. These calls are
few beside the calls they make possible, so that both cores record them from Python.

A readiness note (layout.NOTE_READINESS) holds three numbers per socket: the socket's own number, the
events asked for and the events reported, in the bits of poll(2); -1 where there is none.
"""

from . import core, layout
from .lookalike import Method, stand_in
from .sealed import set_on_sealed_type

_OPERATIONS = layout.OPERATIONS
_NOTHING = layout.NOTHING
_OK, _TIMEOUT = layout.OUTCOMES["ok"], layout.OUTCOMES["timeout"]
_IN, _PRI, _OUT = 1, 2, 4
_SIZED = (list, tuple, dict, set, frozenset)
_MOST_NOTED = 4096  # sockets of one wait


def _seconds(value):
    """Return a timeout in ns from seconds: -1 for None and for what waits for ever."""
    if value is None or value < 0:
        return -1
    return int(value * 1_000_000_000)


def _note(number, told):
    """Note sockets of a call: rows of (socket, interest, events)."""
    if told:
        core.recorder.tape.note(layout.NOTE_READINESS, number, *[part for row in told[:_MOST_NOTED] for part in row])


def _number_of(fd):
    return core.recorder.sockets.number_of_fd(fd)


def _fd_of(watched):
    """Return the descriptor that an object given to select stands for, -1 where asking could run the program's code."""
    if isinstance(watched, int):
        return watched
    return core.recorder.sockets.fd_of(watched)


def _wait(original, operation, poller_fd, asked, timeout_ns, args, kw, report):
    """Make a wait and record it.

    Args:
        original: called with args and kw.
        operation: its code.
        poller_fd: of an epoll, or -1.
        asked: sockets watched, or most events wanted.
        timeout_ns: how long it may wait.
        args, kw: of the call.
        report: function(result) -> rows of (socket, interest, events); how many there are is the call's result.
    """
    call = core.begin_call(operation, poller_fd, asked, timeout_ns)
    if call is None:
        return original(*args, **kw)
    try:
        result = original(*args, **kw)
    except BaseException as error:
        core.fail_call(call, error)
        raise
    ended_ns = core.now_ns()
    try:
        told = report(result)
        _note(call.number, told)
        core.end_call(call, ended_ns, len(told), _OK if told else _TIMEOUT)
    except Exception:
        core.end_call(call, ended_ns, _NOTHING, _OK)
    return result


def _hook_select(original):
    def select(*args, **kw):
        try:
            watched = sum([len(some) if isinstance(some, _SIZED) else 0 for some in args[:3]])
            timeout_ns = _seconds(args[3]) if len(args) > 3 else -1
        except Exception:
            return original(*args, **kw)  # arguments that select itself will refuse
        return _wait(original, _OPERATIONS["select"], -1, watched, timeout_ns, args, kw, _reported_by_select)

    return select


def _reported_by_select(result):
    events = {}
    for ready, bit in zip(result, (_IN, _OUT, _PRI)):
        for watched in ready:
            fd = _fd_of(watched)
            events[fd] = events.get(fd, 0) | bit
    return [(_number_of(fd) if fd >= 0 else 0, -1, bits) for fd, bits in events.items()]


def _reported(result):
    return [(_number_of(fd), -1, events) for fd, events in result]


def _hook_poll(original):
    def poll(self, *args, **kw):
        try:
            timeout = args[0] if args else None
            timeout_ns = -1 if timeout is None or timeout < 0 else int(timeout * 1_000_000)
        except Exception:
            return original(self, *args, **kw)
        return _wait(original, _OPERATIONS["poll"], -1, _NOTHING, timeout_ns, (self, *args), kw, _reported)

    return poll


def _hook_epoll_poll(original):
    def poll(self, *args, **kw):
        try:
            timeout = args[0] if args else kw.get("timeout")
            most = args[1] if len(args) > 1 else kw.get("maxevents", -1)
            timeout_ns = _seconds(timeout)
            fd = self.fileno()
        except Exception:
            return original(self, *args, **kw)
        return _wait(original, _OPERATIONS["epoll_wait"], fd, most if most > 0 else _NOTHING, timeout_ns, (self, *args), kw, _reported)

    return poll


def _hook_interest(original, operation, with_poller):
    """Wrap register, modify and unregister of epoll and poll objects."""

    def change(self, *args, **kw):
        try:
            watched = args[0] if args else kw["fd"]
            mask = args[1] if len(args) > 1 else kw.get("eventmask", -1)
            fd = _fd_of(watched)
            told = [(_number_of(fd), -1 if operation == "unregister" else mask, -1)] if fd >= 0 else []
            call = core.begin_call(_OPERATIONS[operation], self.fileno() if with_poller else -1, _NOTHING, 0)
        except Exception:
            return original(self, *args, **kw)
        if call is None:
            return original(self, *args, **kw)
        try:
            result = original(self, *args, **kw)
        except BaseException as error:
            core.fail_call(call, error)
            raise
        ended_ns = core.now_ns()
        try:
            _note(call.number, told)
        except Exception:
            pass
        core.end_call(call, ended_ns, _NOTHING, _OK)
        return result

    return change


def _hook_close(original):
    def close(self):
        try:
            fd = self.fileno()
        except Exception:
            return original(self)  # closed already
        if not core.recorder.sockets.knows(fd):
            return original(self)  # it never watched anything: `selectors` tries one at its import
        call = core.begin_call(_OPERATIONS["close"], fd, _NOTHING, -1)
        core.recorder.sockets.leave_number(fd)
        try:
            return original(self)
        finally:
            if call is not None:
                core.end_call(call, core.now_ns(), _NOTHING, _OK)

    return close


def install(select):
    """Put the recording functions in place.

    Args:
        select: the module `select`.
    """
    select.select = stand_in(_hook_select(select.select), select.select)
    if hasattr(select, "poll"):
        kind = type(select.poll())
        _set(kind, "poll", _hook_poll)
        for name in ("register", "modify", "unregister"):
            _set(kind, name, lambda original, name=name: _hook_interest(original, name, False))
    if hasattr(select, "epoll"):
        _set(select.epoll, "poll", _hook_epoll_poll)
        _set(select.epoll, "close", _hook_close)
        for name in ("register", "modify", "unregister"):
            _set(select.epoll, name, lambda original, name=name: _hook_interest(original, name, True))


def _set(cls, name, hook):
    """Put a method on a type of C: settable from Python 3.9; before, through the type's own dictionary."""
    original = vars(cls)[name]
    hooked = hook(original)
    hooked.__name__ = name
    hooked.__wrapped__ = original
    method = Method(hooked, original)
    try:
        setattr(cls, name, method)
    except TypeError:
        set_on_sealed_type(cls, name, method)
