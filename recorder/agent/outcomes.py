"""What to call what came of a call.

Owns the words for errors. Knows nothing of tape or core.
"""

import errno
import os

from . import layout
from .raised import of_handler

_get_blocking = os.get_blocking
_OUTCOMES = layout.OUTCOMES
_OK, _WOULD_BLOCK = _OUTCOMES["ok"], _OUTCOMES["would_block"]
_EAGAIN = errno.EAGAIN

_BY_ERRNO = {
    errno.EINPROGRESS: _OUTCOMES["in_progress"],
    errno.EALREADY: _OUTCOMES["in_progress"],
    errno.ETIMEDOUT: _OUTCOMES["timeout"],
    errno.ECONNRESET: _OUTCOMES["reset"],
    errno.EPIPE: _OUTCOMES["broken_pipe"],
    errno.ESHUTDOWN: _OUTCOMES["broken_pipe"],
    errno.ECONNREFUSED: _OUTCOMES["refused"],
    errno.ECONNABORTED: _OUTCOMES["aborted"],
    errno.EINTR: _OUTCOMES["interrupted"],
}
_BY_NAME = {
    "CancelledError": _OUTCOMES["cancelled"],
    "GreenletExit": _OUTCOMES["cancelled"],
    "timeout": _OUTCOMES["timeout"],  # socket.timeout before Python 3.10
    "TimeoutError": _OUTCOMES["timeout"],
}
_BY_TLS_NAME = {
    "SSLWantReadError": _OUTCOMES["want_read"],
    "SSLWantWriteError": _OUTCOMES["want_write"],
    "SSLZeroReturnError": _OUTCOMES["eof"],
    "SSLEOFError": _OUTCOMES["eof"],
}


def failure(error, entry, timeout_ns, started_ns=None):
    """Return what a call came to that raised.

    Args:
        error: what it raised.
        entry: of its socket; None: of no socket.
        timeout_ns: how long it could wait.
        started_ns: when it began; None: not known.

    Returns:
        (outcome, errno or 0).
    """
    if of_handler(error, started_ns):
        return _OUTCOMES["interrupted"], 0
    if isinstance(error, OSError) and any([kind.__name__ == "SSLError" for kind in type(error).__mro__]):
        return _tls_failure(error), 0  # its errno is a number of OpenSSL's
    number = getattr(error, "errno", None) if isinstance(error, OSError) else None
    number = number if isinstance(number, int) and -(2**31) <= number < 2**31 else 0
    if number == _EAGAIN:
        return _again(entry, timeout_ns), number
    if number in _BY_ERRNO:
        return _BY_ERRNO[number], number
    for kind in type(error).__mro__:
        if kind.__name__ in _BY_NAME:
            return _BY_NAME[kind.__name__], number
    if isinstance(error, Exception):
        return _OUTCOMES["error"], number
    return _OUTCOMES["interrupted"], number  # KeyboardInterrupt or SystemExit, raised by a signal handler


def _tls_failure(error):
    if getattr(error, "reason", None) == "UNEXPECTED_EOF_WHILE_READING":  # before Python 3.10 an SSLError like any other
        return _OUTCOMES["eof"]
    found = [_BY_TLS_NAME[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _BY_TLS_NAME]
    return found[0] if found else _OUTCOMES["error"]


def _again(entry, timeout_ns):
    """Tell EAGAIN of a call that could not wait from that of SO_RCVTIMEO, after waiting on a blocking socket."""
    if timeout_ns == -1:
        if _get_blocking(entry.fd):
            return _OUTCOMES["timeout"]
        entry.timeout_ns = 0  # O_NONBLOCK was set behind Python's back: known from now on
        return _WOULD_BLOCK
    return _WOULD_BLOCK if timeout_ns == 0 else _OUTCOMES["timeout"]


def connect_outcome(code, timeout_ns):
    """Return the outcome that connect_ex's result stands for."""
    if not code:
        return _OK
    if code == _EAGAIN:
        return _OUTCOMES["timeout"] if timeout_ns > 0 else _WOULD_BLOCK
    return _BY_ERRNO.get(code, _OUTCOMES["error"])
