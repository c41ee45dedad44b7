"""Signals as Python delivers them: handlers, the wake-up descriptor, and the calls that wait for one.

Owns what stands around the program's handlers and the hooks on the module `_signal`, through which
the module `signal` goes as well. Knows the core's `begin_call` and `end_call` and the tape's notes.

The interpreter holds a Handler in the place of each handler that the program sets; the program asks
for its handler and gets what it has set. A delivery is noted twice, when its handler begins and when it
is over: one that never came back is in the trace, too. Calls that a handler makes are recorded as made
inside the call that was interrupted, since that is where its thread still is.
"""

import _signal  # type: ignore[import-not-found]
import itertools
import sys

from . import calls, core, layout
from .lookalike import stand_in
from .naming import timeout_to_ns
from .raised import by_handler, is_inside, marks, pass_on, through
from .whereabouts import AGENT

_OPERATIONS = layout.OPERATIONS
_NOTHING = layout.NOTHING
_OK, _TIMEOUT = layout.OUTCOMES["ok"], layout.OUTCOMES["timeout"]
_SIZED = (list, tuple, dict, set, frozenset)
_SIGIO = int(_signal.SIGIO)
_ONLY_SIGIO = frozenset((_SIGIO,))
_sigpending = _signal.sigpending
_MOST_ARMED = 64  # sockets named with one delivery
_DOUBLES = ("SIGPOLL", "SIGCLD", "SIGIOT")  # the same numbers have better names


def _names():
    found = {}
    for name, value in vars(_signal).items():
        if name.startswith("SIG") and not name.startswith("SIG_") and name not in _DOUBLES and isinstance(value, int):
            found.setdefault(int(value), name)
    for number in range(_signal.SIGRTMIN + 1, _signal.SIGRTMAX):
        found.setdefault(number, "SIGRTMIN+%d" % (number - _signal.SIGRTMIN))
    return found


_NAMES = _names()


class _State:
    """What is known of signals in one process: a forked child begins anew."""

    def __init__(self, tape):
        self.tape = tape
        self.next = itertools.count(1).__next__
        self.armed = {}  # number of a socket with O_ASYNC -> its descriptor
        self.sends = {}  # number of a socket -> the signals that F_SETSIG gave it: two while it changes
        self.late = set()  # signals that may still come from a socket that sends them no more


_state = None
_wakeup_fd = -1


def _here():
    global _state
    tape = core.recorder.tape
    if _state is None or _state.tape is not tape:
        _state = _State(tape)
    return _state


def arm(fd, number):
    """Take note that a socket may send signals from now on: said before O_ASYNC is set, since the first may come at once.

    Args:
        fd, number: of the socket.
    """
    _here().armed[number] = fd


def disarm(number):
    """Take note that a socket sends no more signals; what it has sent may still be on its way."""
    _disarmed(_here(), number)


def _disarmed(state, number):
    if state.armed.pop(number, None) is not None:
        state.late.update(state.sends.get(number, _ONLY_SIGIO))


def may_send(number, signal):
    """Take note that F_SETSIG is about to be called on a socket: until it has returned either signal may come.

    Args:
        number: of the socket.
        signal: 0: SIGIO.
    """
    known = _here().sends
    known[number] = {*known.get(number, _ONLY_SIGIO), signal or _SIGIO}


def sends(number, signal):
    """Take note of what F_SETSIG has set on a socket; 0: SIGIO."""
    state = _here()
    before = state.sends.get(number, _ONLY_SIGIO)
    state.sends[number] = {signal or _SIGIO}
    state.late.update(before - state.sends[number])


def _armed_for(state, signal):
    """Return (the numbers of the sockets that may have sent a signal, whether nothing else may have)."""
    by_fd = core.recorder.sockets.by_fd
    found, alone = [], True
    for number, fd in list(state.armed.items()):
        entry = by_fd.get(fd)
        if entry is None or entry.id != number or not entry.open:
            _disarmed(state, number)
        elif signal in state.sends.get(number, _ONLY_SIGIO):
            found.append(number)
        elif signal == _SIGIO:  # where too many real-time signals are queued it comes instead: fcntl(2)
            found.append(number)
            alone = False
    if signal in state.late:
        alone = False
        if signal not in _sigpending():
            state.late.discard(signal)  # whatever was sent has come by now
    return found[:_MOST_ARMED], alone


def _wakeup_socket():
    entry = core.recorder.sockets.by_fd.get(_wakeup_fd)
    return entry.id if entry is not None and entry.open else 0


def _note(state, signal, via, started_ns, ended_ns, thread, during, socket):
    armed, alone = ([], False) if socket else _armed_for(state, signal)
    if alone and len(armed) == 1:
        socket, armed = armed[0], []
    key = state.next()
    name = _NAMES.get(signal) or "signal %d" % signal
    several = ",".join([str(number) for number in armed])
    state.tape.note(layout.NOTE_SIGNAL, key, thread.id, name, via, started_ns, ended_ns, during, socket, several)
    return key


def _outside(frame):
    """Return the frame that the program was in: it is not to see ours."""
    while frame is not None and frame.f_code.co_filename.startswith(AGENT) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _enter(number, frame, handler=None):
    """Note that a handler begins.

    Args:
        number, frame: as the interpreter gives them.
        handler: of the program, where nothing tells by a traceback that it called it.

    Returns:
        (what `_leave` wants to know of it, or None; the frame to show the handler; whether `raised.through` is to call it).
    """
    inside = handler is not None and is_inside(frame, handler)
    try:
        state = _here()
        thread = core.enter_thread()
        woken = _wakeup_fd >= 0
        key = _note(
            state, number, "wakeup_fd" if woken else "handler", core.now_ns(), -1, thread, thread.current, _wakeup_socket() if woken else 0
        )
        return (state, key), _outside(frame), inside
    except BaseException as error:
        pass_on(error)  # another handler raised, before this one could begin
        return None, frame, inside


def _leave(delivery, error):
    """Note that a handler is over.

    Args:
        delivery: as `_enter` gave it.
        error: what it raised, or None.
    """
    try:
        if error is not None:
            by_handler(error)
        if delivery is not None and delivery[0].tape is core.recorder.tape:  # else we are a child that it forked
            delivery[0].tape.note(layout.NOTE_SIGNAL, delivery[1], core.now_ns())
    except BaseException as fault:
        pass_on(fault)


class Handler:
    """Stands where the program's handler would; the C core has the same without a frame of its own."""

    __slots__ = ("original",)

    def __init__(self, original, enter, leave, through):
        self.original = original

    def __call__(self, *args):
        if len(args) != 2:
            return self.original(*args)
        delivery, frame, _ = _enter(*args)
        error = None
        try:
            return self.original(args[0], frame)
        except BaseException as raised:
            error = raised
            raise
        finally:
            _leave(delivery, error)
            error = None


marks(Handler.__call__)


class _Interrupter:
    """Stands where `default_int_handler` would, which does nothing but raise: that traceback must not show a frame of ours.

    The interpreter looks up `__call__`, which notes the delivery and is over, and then calls what that gave.
    """

    __slots__ = ("number", "original")

    def __init__(self, original, number):
        self.original = original
        self.number = int(number)

    @property
    def __call__(self):
        delivery, _, _ = _enter(self.number, None)
        _leave(delivery, None)
        return self.original


def _is_handler(found):
    """Say whether something is a Handler, of this interpreter or of another one in the process."""
    kind = type(found)
    return kind.__name__ in ("Handler", "_Interrupter") and kind.__module__ in (__name__, "_sockreel_agent._core")


def _unwrapped(found):
    return found.original if _is_handler(found) else found


def _hook_signal(original, handler_type):
    def signal(*args):
        if len(args) == 2 and callable(args[1]) and not _is_handler(args[1]):
            if handler_type is Handler and args[1] is _signal.default_int_handler and isinstance(args[0], int):
                args = (args[0], _Interrupter(*reversed(args)))
            else:
                args = (args[0], handler_type(args[1], _enter, _leave, through))
        return _unwrapped(original(*args))

    return signal


def _hook_getsignal(original):
    def getsignal(*args):
        return _unwrapped(original(*args))

    return getsignal


def _hook_set_wakeup_fd(original):
    def set_wakeup_fd(*args, **kw):
        global _wakeup_fd
        before = original(*args, **kw)
        try:
            _wakeup_fd = int(args[0])
            if _wakeup_fd >= 0:
                _here()
                core.recorder.sockets.number_of_fd(_wakeup_fd)  # made known now: a handler is no place for it
        except BaseException as error:
            pass_on(error)
        return before

    return set_wakeup_fd


def _number_of(result):
    """Return the signal that a wait gave: a number, a siginfo, or None for none."""
    return int(getattr(result, "si_signo", result) or 0)


def _hook_wait(original, operation, with_timeout):
    code = _OPERATIONS[operation]

    def wait(*args, **kw):
        try:
            watched = len(args[0]) if args and isinstance(args[0], _SIZED) else _NOTHING
            timeout_ns = max(0, timeout_to_ns(args[1])) if with_timeout else -1
        except Exception as error:
            pass_on(error)
            timeout_ns = None
        if timeout_ns is None:
            return original(*args, **kw)  # arguments that it will refuse, or a time that is no number of ours
        return calls.make(original, args, kw, taken, code, -1, watched, timeout_ns)

    def taken(call, result, ended_ns):
        number = _number_of(result)
        if number:
            _note(_here(), number, "sigwait", ended_ns, ended_ns, call.thread, call.number + 1, 0)
        return number, _OK if number or operation == "pause" else _TIMEOUT

    return wait


_WAITS = {"sigwait": False, "sigwaitinfo": False, "sigtimedwait": True, "pause": False}


def install(native):
    """Put the hooks on `_signal`, and on `signal` if the program has it already; take over SIGINT's first handler.

    Args:
        native: the module `_core` if the C core writes the tape, else None.
    """
    handler_type = native.Handler if native else Handler
    hooks = {
        "signal": _hook_signal(_signal.signal, handler_type),
        "getsignal": _hook_getsignal(_signal.getsignal),
        "set_wakeup_fd": _hook_set_wakeup_fd(_signal.set_wakeup_fd),
    }
    for name, with_timeout in _WAITS.items():
        if hasattr(_signal, name):
            hooks[name] = _hook_wait(getattr(_signal, name), name, with_timeout)
    library = vars(sys.modules.get("signal", _signal))
    for name, hook in hooks.items():
        original = getattr(_signal, name)
        hooked = stand_in(hook, original, True)
        setattr(_signal, name, hooked)
        if library.get(name) is original:
            library[name] = hooked
    number = int(_signal.SIGINT)
    before = _signal.getsignal(number)
    if before is _signal.default_int_handler:
        try:
            _signal.signal(number, before)
        except ValueError as error:
            pass_on(error)  # not the main interpreter, otherwise: it hears no signals
