"""Whose exception it is: what a signal handler raised goes on into the program, wherever it came.

Owns the question. A handler of the program may run in the middle of a hook of ours, between any two of its steps: what
it raises there must not be taken for an error of our own and swallowed. So every `except` clause of ours hands its
error to `pass_on`, or asks `is_ours` (tests/test_house.py).

The traceback answers: what a handler raised has come through a frame that calls handlers and nothing else. With the
Python core that is Handler.__call__ (signals.py). With the C core it is `through`, which stands between a handler and
a frame of ours that it has interrupted; a handler that has interrupted the program itself is called without any frame
of ours, and known by the frame of its own (code, and place of the traceback) if its exception comes through ours after
all: from a function of Python that a hook has called. No exception, nor a frame, is kept alive.
"""

import time

from .whereabouts import AGENT

# A class of the program may have others of these names.
_trace_of = vars(BaseException)["__traceback__"].__get__
_context = vars(BaseException)["__context__"]
_with_trace = BaseException.with_traceback
_now_ns = time.monotonic_ns
_Function, _Method = type(lambda: None), type((lambda: None).__get__(0))


def through(original, number, frame):
    """Call a handler that has interrupted a frame of ours."""
    return original(number, frame)


_marks = [through.__code__]
_last = (0, None, 0, None, 0)  # of what a handler raised: id, type, its traceback's id and code (0, None: has none), when


def marks(function):
    """Know by a function that what comes through its frame was raised by a handler."""
    _marks.append(function.__code__)


def is_inside(frame, handler):
    """Say whether a handler that a signal calls is to be called by `through`.

    Args:
        frame: that it has interrupted.
        handler: of the program.
    """
    if frame is None:
        return False
    if frame.f_code.co_filename.startswith(AGENT):
        return True
    if type(handler) is _Function or (type(handler) is _Method and type(handler.__func__) is _Function):
        return False  # a frame of its own tells
    while frame is not None and not frame.f_code.co_filename.startswith(AGENT):
        frame = frame.f_back
    return frame is not None


def by_handler(error):
    """Remember what a handler raised, without keeping it alive.

    Args:
        error: the exception.
    """
    global _last
    trace = _trace_of(error)
    _last = (id(error), type(error), 0 if trace is None else id(trace), None if trace is None else trace.tb_frame.f_code, _now_ns())


def _mark_of(error):
    """Return the part of an exception's traceback that begins where its handler was called, None where there is none."""
    trace = _trace_of(error)
    known, kind, place, code, _ = _last
    is_last = place and known == id(error) and kind is type(error)
    while trace is not None:
        found = trace.tb_frame.f_code
        for mark in _marks:
            if found is mark:
                return trace
        if is_last and id(trace) == place and found is code:
            return trace
        trace = trace.tb_next
    return None


def of_handler(error, started_ns=None):
    """Say whether an exception was raised by a signal handler.

    Args:
        error: that came up in a hook.
        started_ns: when the call began that it came out of; None: it came up between the calls.
    """
    if _mark_of(error) is not None:
        return True
    known, kind, place, _, raised_ns = _last
    # A handler without a frame (a C function) that interrupted the program in the call: nothing raised since can have its id.
    return started_ns is not None and not place and known == id(error) and kind is type(error) and raised_ns >= started_ns


def is_ours(error):
    """Say whether an exception that came up in a hook is an error of ours: to be swallowed."""
    return isinstance(error, Exception) and _mark_of(error) is None


def is_theirs(error):
    """Say whether an exception goes on into the program, which the C core asks: then it is cleared, too."""
    theirs = not is_ours(error)
    if theirs:
        cleared(error)
    return theirs


def pass_on(error):
    """Raise an exception again if it is the program's: a handler raised it. An error of ours is not.

    Args:
        error: what an `except` clause of ours has caught.
    """
    if not is_ours(error):
        raise cleared(error)


def cleared(error):
    """Return an exception of the program's without what shows that a hook was interrupted: errors of ours, which it handled."""
    mark = _mark_of(error)
    if mark is not None:
        _with_trace(error, mark)
    context = _context.__get__(error)
    while context is not None and _is_from_here(context):
        context = _context.__get__(context)
        _context.__set__(error, context)
    return error


def _is_from_here(error):
    trace = _trace_of(error)
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith(AGENT) and _mark_of(error) is None
