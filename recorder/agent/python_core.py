"""The Python core: what stands around every recorded method where `_core.c` does not.

Owns the hot path: numbers, times, one slot per call. The state is that of core.py, which puts it among
the globals here.

Promise: nothing here raises into the program or changes what it gets. A call for which something
of ours fails is made bare, and counted as lost.
"""

import errno
import sys

from . import core, layout
from .raised import cleared, is_ours, pass_on

_getframe = sys._getframe
_now = core.now_ns
_open_slot = layout.SLOT_OPEN.pack_into
_close_slot = layout.SLOT_DONE.pack_into
_NOTHING, _OPEN, _COMPLETE = layout.NOTHING, layout.OPEN, layout.COMPLETE
_SLOT_BITS, _SLOT_MASK, _SLOT_BYTES = layout.SLOT_BITS, layout.SLOTS - 1, layout.SLOT_BYTES
_DONE_AT, _STATE_AT = layout.SLOT_DONE_AT, layout.SLOT_STATE_AT
_STILL_OPEN = bytes((layout.OPEN,))
_OK, _WOULD_BLOCK = layout.OUTCOMES["ok"], layout.OUTCOMES["would_block"]
_ERROR, _INTERRUPTED = layout.OUTCOMES["error"], layout.OUTCOMES["interrupted"]
_EAGAIN = errno.EAGAIN
_MSG_DONTWAIT = 0x40
# All of a slot's end but the duration is the same for every fruitless call.
_EAGAIN_TAIL = layout.SLOT_DONE.pack(0, _NOTHING, 0, _EAGAIN, _WOULD_BLOCK, 0, _COMPLETE)[8:]
_close_with_tail = type(layout.SLOT_DONE)("<q%ds" % len(_EAGAIN_TAIL)).pack_into
_U32 = 0xFFFFFFFF

# Set by core.Recorder.begin: an attribute would cost twice as much.
local = entries = site_numbers = call_segments = next_slot = recorder = None
core.share(globals())


def hook(original, operation, ask, finish, before=None, ready=None):
    """Return a function that makes a call of `original(sock, *args, **kw)` and records it.

    Args:
        original: the method as it was.
        operation: its code in the layout.
        ask, finish, before: as in methods.METHODS.
        ready: function(ended) -> when the kernel had what was asked for, 0: not known; or None: nobody asks.
    """

    # All in one function, and what is rare elsewhere: a call of Python costs as much as all it would do here.
    def hooked(sock, *args, **kw):
        number = buffer = at = thread = running = parent = None
        try:
            number = next_slot()
            segments = call_segments
            try:
                buffer = segments[number >> _SLOT_BITS]
            except KeyError as error:
                pass_on(error)
                buffer = core.map_calls(number >> _SLOT_BITS)
            at = (number & _SLOT_MASK) * _SLOT_BYTES
            try:
                running = local.thread
            except AttributeError as error:
                pass_on(error)
                running = core.enter_thread()
            entry = entries.get(id(sock)) or recorder.sockets.identify(sock)
            frame = _getframe(1)
            site = site_numbers.get((id(frame.f_code), frame.f_lasti)) or recorder.sites.find(frame)
            if ask is None:
                asked, flags, peer = args[0] if args else _NOTHING, args[1] if len(args) > 1 else 0, 0
            else:
                asked, flags, peer = _ask_all(ask, args, kw, entry)
            timeout_ns = 0 if flags & _MSG_DONTWAIT and entry.timeout_ns == -1 else entry.timeout_ns
            parent = running.current
            started = _now()
            _open_slot(buffer, at, running.id, entry.id, started, asked, timeout_ns, parent, site, flags & _U32, peer, operation, _OPEN)
            running.current = number + 1
            if before is not None:
                before(entry, sock)
            thread = running
        except BaseException as error:
            core.void(buffer, at, running, parent)
            thread = None
            if not is_ours(error):  # a signal handler raised it, before the call was made
                raise cleared(error)
        if thread is None:
            return core.unrecorded(original, sock, args, kw)
        is_open = True
        try:
            try:
                result = original(sock, *args, **kw)
            except BaseException as error:
                ended = _now()
                thread.current = parent
                if segments is not call_segments:
                    pass  # a signal handler forked in the middle of it, and this is the child: the call is its parent's
                elif timeout_ns == 0 and type(error) is BlockingIOError and error.errno == _EAGAIN:
                    _close_with_tail(buffer, at + _DONE_AT, ended - started, _EAGAIN_TAIL)
                else:
                    _close_raised(buffer, at, ended - started, error, entry, timeout_ns)
                is_open = False
                raise
            ended = _now()
            thread.current = parent
            if segments is not call_segments:
                return result  # as above
            try:
                moved, outcome, code = _NOTHING, _OK, 0
                if finish is not None:
                    moved, outcome, code = finish(entry, sock, args, kw, result, number, buffer, at, asked, ended)
                ready_ns = 0 if ready is None else ready(ended)
                _close_slot(buffer, at + _DONE_AT, ended - started, moved, ready_ns, code, outcome, 1 if ready_ns else 0, _COMPLETE)
                is_open = False
            except Exception as problem:
                core.fault(problem)
            return result
        finally:
            # Something of ours failed, or a signal handler raised in it.
            if is_open and segments is call_segments and buffer[at + _STATE_AT] == _STILL_OPEN:
                thread.current = parent
                _close_slot(buffer, at + _DONE_AT, _now() - started, _NOTHING, 0, 0, _unclear(), 0, _COMPLETE)

    return hooked


def _ask_all(ask, args, kw, entry):
    """Return (asked, flags, number of the address or 0) of a call."""
    asked, flags, peer = ask(args, kw)
    return asked, flags, core.address_of(entry, peer) if peer is not None and peer != 0 else 0


def _close_raised(buffer, at, lasted, error, entry, timeout_ns):
    """Complete the slot of a call that raised; left open where we fail."""
    try:
        outcome, code = core.failed(error, entry, timeout_ns)
        _close_slot(buffer, at + _DONE_AT, lasted, _NOTHING, 0, code, outcome, 0, _COMPLETE)
    except Exception as problem:
        core.fault(problem)


def _unclear():
    """Return the outcome of a call whose return we could not describe: by what is being raised, if anything."""
    error = sys.exc_info()[1]
    if error is None:
        return _OK
    return _ERROR if is_ours(error) else _INTERRUPTED
