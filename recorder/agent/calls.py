"""A call that a hook of ours makes from Python, from its first step to its last.

Owns the order of the steps. A signal handler of the program may raise between any two of them: a slot that was opened
is completed all the same, and what the handler raised goes on.
"""

from . import core, layout
from .raised import is_ours, pass_on

_NOTHING = layout.NOTHING
_OK, _INTERRUPTED = layout.OUTCOMES["ok"], layout.OUTCOMES["interrupted"]
_STATE_AT, _STILL_OPEN = layout.SLOT_STATE_AT, bytes((layout.OPEN,))
_now_ns = core.now_ns


def make(original, args, kw, finish, operation, fd, asked, timeout_ns, socket=None, flags=0, entry=None, before=None, failed=None, depth=3):
    """Make a call and record it.

    Args:
        original: called with args and kw.
        finish: function(call, result, ended_ns) -> (result, outcome) for the slot; None: nothing to say.
        operation, fd, asked, timeout_ns, socket, flags: as of `core.begin_call`.
        entry: of the socket, where EAGAIN may come of a call that could wait.
        before: function(call), called when it is on the tape and not made yet.
        failed: function(), called when it has raised.
        depth: how many frames above `core.begin_call` the caller's is: 3, that of our caller's caller.
    """
    call = core.Call()
    try:
        if core.begin_call(operation, fd, asked, timeout_ns, socket, flags, call, depth) is None:
            return original(*args, **kw)
        if before is not None:
            before(call)
        try:
            result = original(*args, **kw)
        except BaseException as error:
            core.fail_call(call, error, entry, timeout_ns)
            if failed is not None:
                failed()
            raise
        if core.is_of_parent(call):
            return result
        ended_ns = _now_ns()
        try:
            moved, outcome = (_NOTHING, _OK) if finish is None else finish(call, result, ended_ns)
            core.end_call(call, ended_ns, moved, outcome)
        except BaseException as error:
            end_badly(call, ended_ns, error)
        return result
    finally:
        if is_open(call):  # a handler raised in between
            core.end_call(call, _now_ns(), _NOTHING, _INTERRUPTED)


def is_open(call):
    """Say whether a call's slot is open: begun, and not completed."""
    buffer, at = getattr(call, "buffer", None), getattr(call, "at", None)
    return buffer is not None and at is not None and not core.is_of_parent(call) and buffer[at + _STATE_AT] == _STILL_OPEN


def end_badly(call, ended_ns, error):
    """Complete a call that returned and that we could not describe; what a handler raised goes on.

    Args:
        call: as `core.begin_call` gave it.
        ended_ns: when.
        error: that came up.
    """
    core.end_call(call, ended_ns, _NOTHING, _OK if is_ours(error) else _INTERRUPTED)
    pass_on(error)
