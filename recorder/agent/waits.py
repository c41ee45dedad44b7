"""Every way of waiting for readiness: select, poll and epoll, wrapped in place.

Owns what such a call asks and which sockets it reported. Knows the core's `begin_call` and
`end_call`, which write the slot, and Sockets, which knows whose descriptor is whose. With the C core
`waits.h` records what programs do all the time, and comes here for the rest.

A readiness note (layout.NOTE_READINESS) holds three numbers per socket: the socket's own number, the
events asked for and the events reported, in the bits of poll(2); -1 where there is none.
"""

from . import calls, core, layout
from .lookalike import BoundMethod, Method, stand_in, stands_in, veil
from .raised import pass_on
from .sealed import set_on_sealed_type

_OPERATIONS = layout.OPERATIONS
_NOTHING = layout.NOTHING
_OK, _TIMEOUT = layout.OUTCOMES["ok"], layout.OUTCOMES["timeout"]
_IN, _PRI, _OUT = 1, 2, 4
_SIZED = (list, tuple, dict, set, frozenset)
_MOST_NOTED = 4096  # sockets of one wait


def _seconds(value):
    """Return a timeout in ns from seconds: -1 for None and for what waits for ever. Raises where no wait is that long."""
    return _units(value, 1_000_000_000)


def _units(value, unit_ns):
    if value is None or value < 0:
        return -1
    timeout_ns = int(value * unit_ns)
    if timeout_ns >= 2**63:
        raise OverflowError  # the call will say so, too
    return timeout_ns


def _note(number, told):
    """Note sockets of a call: rows of (socket, interest, events)."""
    if told:
        core.recorder.tape.note(layout.NOTE_READINESS, number, *[part for row in told[:_MOST_NOTED] for part in row])


def _number_of(fd):
    return core.recorder.sockets.number_of_fd(fd)


def _number_of_poller(fd):
    """Return the number of an epoll's descriptor, 0 for none; None: `begin_call` finds out, and counts where that fails."""
    try:
        core.settle()
        return core.recorder.sockets.number_of_poller(fd) if fd >= 0 else 0
    except Exception as error:
        pass_on(error)
        return None


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

    def finish(call, result, ended_ns):
        told = report(result)
        _note(call.number, told)
        return len(told), _OK if told else _TIMEOUT

    return calls.make(original, args, kw, finish, operation, poller_fd, asked, timeout_ns, _number_of_poller(poller_fd), depth=4)


def _hook_select(original):
    def select(*args, **kw):
        watched = _watched_by_select(args)
        if watched is None:
            return original(*args, **kw)  # arguments that select itself will refuse
        lists, number, timeout_ns = watched
        given = (*lists, *args[3:])
        result = _wait(original, _OPERATIONS["select"], -1, number, timeout_ns, given, kw, _reported_by_select)
        return _told_again(args, lists, result)

    return select


def _watched_by_select(args):
    """Return (three lists of descriptors, how many, timeout in ns) of what select was given, None where that is not to be had.

    An object's `fileno` is the program's own code: it is called once, here, in the order in which select would, and
    select is given what it said.
    """
    try:
        if len(args) not in (3, 4) or not all([isinstance(some, _SIZED) for some in args[:3]]):
            return None
        timeout_ns = _seconds(args[3]) if len(args) > 3 else -1
        lists = [list(some) for some in args[:3]]
        objects = [watched for some in lists for watched in some if not isinstance(watched, int)]
        if not all([_has_number(watched) for watched in objects]):
            return None
    except Exception as error:
        pass_on(error)
        return None
    if objects:
        lists = [[_number_told_by(watched) for watched in some] for some in lists]
        if not all([isinstance(fd, int) for some in lists for fd in some]):
            return None
    else:
        lists = args[:3]
    return lists, sum([len(some) for some in lists]), timeout_ns


def _has_number(watched):
    return isinstance(watched, int) or callable(getattr(type(watched), "fileno", None))


def _number_told_by(watched):
    return watched if isinstance(watched, int) else watched.fileno()


def _told_again(args, lists, result):
    """Return a result of select in the objects that the program gave."""
    if lists[0] is args[0]:
        return result
    told = []
    for given, numbers, ready in zip(args, lists, result):
        found = set(ready)
        told.append([watched for watched, number in zip(given, numbers) if number in found])
    return tuple(told)


def _reported_by_select(result):
    events = {}
    for ready, bit in zip(result, (_IN, _OUT, _PRI)):
        for fd in ready:
            events[fd] = events.get(fd, 0) | bit
    return [(_number_of(fd), -1, bits) for fd, bits in events.items()]


def _reported(result):
    return [(_number_of(fd), -1, events) for fd, events in result]


def _described(describe, *args):
    """Return what describes a call, None where that fails.

    The original is then called after the failure, not within it: what it raises must not carry ours as its context.
    """
    try:
        return describe(*args)
    except Exception as error:
        pass_on(error)
        return None


def _timeout_of_poll(args):
    return _units(args[0] if args else None, 1_000_000)


def _asked_of_epoll(poller, args, kw):
    most = args[1] if len(args) > 1 else kw.get("maxevents", -1)
    return poller.fileno(), most if most > 0 else _NOTHING, _seconds(args[0] if args else kw.get("timeout"))


def _hook_poll(original):
    def poll(self, *args, **kw):
        timeout_ns = _described(_timeout_of_poll, args)
        if timeout_ns is None:
            return original(self, *args, **kw)
        return _wait(original, _OPERATIONS["poll"], -1, _NOTHING, timeout_ns, (self, *args), kw, _reported)

    return poll


def _hook_epoll_poll(original):
    def poll(self, *args, **kw):
        told = _described(_asked_of_epoll, self, args, kw)
        if told is None:
            return original(self, *args, **kw)
        fd, most, timeout_ns = told
        return _wait(original, _OPERATIONS["epoll_wait"], fd, most, timeout_ns, (self, *args), kw, _reported)

    return poll


def _hook_interest(original, operation, with_poller):
    """Wrap register, modify and unregister of epoll and poll objects."""

    def begin(poller, args, kw):
        watched = args[0] if args else kw["fd"]
        mask = args[1] if len(args) > 1 else kw.get("eventmask", -1)
        fd = _fd_of(watched)
        told = [(_number_of(fd), -1 if operation == "unregister" else mask, -1)] if fd >= 0 else []
        poller_fd = poller.fileno() if with_poller else -1
        return told, poller_fd, _number_of_poller(poller_fd)

    def change(self, *args, **kw):
        if args and not isinstance(args[0], int) and _described(_has_number, args[0]):
            number = args[0].fileno()  # the program's own code: called once, here instead of there
            args = (number, *args[1:]) if isinstance(number, int) else args
        found = _described(begin, self, args, kw)
        if found is None:
            return original(self, *args, **kw)
        told, poller_fd, number = found

        def finish(call, result, ended_ns):
            _note(call.number, told)
            return _NOTHING, _OK

        return calls.make(original, (self, *args), kw, finish, _OPERATIONS[operation], poller_fd, _NOTHING, 0, number)

    return change


def _hook_close(original):
    def close(self):
        fd = _described(self.fileno)
        if fd is None or not core.recorder.sockets.knows(fd):
            return original(self)  # closed already, or it never watched anything: `selectors` tries one at its import

        def leave(_):
            _described(core.recorder.sockets.leave_number, fd)

        return calls.make(original, (self,), {}, None, _OPERATIONS["close"], fd, _NOTHING, -1, before=leave)

    return close


def install(select):
    """Put the recording functions in place.

    Args:
        select: the module `select`.
    """
    if not stands_in(select.select):
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


def _native_method(cls, name, hooked, original):
    """Return a method of the C core, which asks `hooked` to make the calls it does not know; None where it knows none."""
    is_epoll = hasattr(cls, "fromfd")
    asks = {"register": "ASK_INTEREST", "modify": "ASK_INTEREST", "unregister": "ASK_NO_INTEREST"}
    asks["poll"] = "ASK_EPOLL" if is_epoll else "ASK_POLL"
    if name not in asks:
        return None
    native, operation = core.recorder.native, _OPERATIONS["epoll_wait" if is_epoll and name == "poll" else name]
    how = getattr(native, asks[name]), veil(hooked), native.FINISH_NOTHING, None
    return core.recorder.core.method(original, operation, *how, BoundMethod, None, None)


def _set(cls, name, hook):
    """Put a method on a type of C: settable from Python 3.9; before, through the type's own dictionary."""
    original = vars(cls)[name]
    if stands_in(original):
        return
    hooked = hook(original)
    hooked.__name__ = name
    hooked.__wrapped__ = original
    method = _native_method(cls, name, hooked, original) if core.recorder.core is not None else None
    method = method or Method(hooked, original)
    try:
        setattr(cls, name, method)
    except TypeError as error:
        pass_on(error)
        set_on_sealed_type(cls, name, method)
