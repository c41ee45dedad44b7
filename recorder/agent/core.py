"""The Python core: what stands around every recorded method.

Owns the hot path: numbers, times, one slot per call, and what to call its outcome. Knows tape,
sites and sockets; not how it is put into the program.

Promise: nothing here raises into the program or changes what it gets. A call for which something
of ours fails is made bare, and counted as lost.
"""

import _thread
import errno
import itertools
import os
import sys
import time

from . import layout
from .sites import Sites
from .sockets import Entry, Sockets
from .tape import Tape

_now = time.monotonic_ns
_getframe = sys._getframe
_ident = _thread.get_ident
_native_id = _thread.get_native_id
_get_blocking, _getpid = os.get_blocking, os.getpid
_NOTHING, _OPEN, _COMPLETE = layout.NOTHING, layout.OPEN, layout.COMPLETE
_SLOT_BITS, _SLOT_MASK, _SLOT_BYTES = layout.SLOT_BITS, layout.SLOTS - 1, layout.SLOT_BYTES
_DONE_AT, _PEER_AT, _STATE_AT = layout.SLOT_DONE_AT, layout.SLOT_PEER_AT, layout.SLOT_STATE_AT
_STILL_OPEN = bytes((layout.OPEN,))
_Struct = type(layout.SLOT_DONE)
_open_slot = layout.SLOT_OPEN.pack_into
_close_slot = layout.SLOT_DONE.pack_into
_OUTCOMES = layout.OUTCOMES
_OK, _WOULD_BLOCK = _OUTCOMES["ok"], _OUTCOMES["would_block"]
_EAGAIN = errno.EAGAIN
_MSG_DONTWAIT = 0x40
# All of a slot's end but the duration is the same for every fruitless call.
_EAGAIN_TAIL = layout.SLOT_DONE.pack(0, _NOTHING, 0, _EAGAIN, _WOULD_BLOCK, 0, _COMPLETE)[8:]
_close_with_tail = _Struct("<q%ds" % len(_EAGAIN_TAIL)).pack_into
_U32 = 0xFFFFFFFF

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
    "SSLWantReadError": _OUTCOMES["want_read"],
    "SSLWantWriteError": _OUTCOMES["want_write"],
    "CancelledError": _OUTCOMES["cancelled"],
    "GreenletExit": _OUTCOMES["cancelled"],
    "timeout": _OUTCOMES["timeout"],  # socket.timeout before Python 3.10
    "TimeoutError": _OUTCOMES["timeout"],
}


class Thread:
    """One thread of the program: its number, and the slot of the call it is in (+ 1; 0: none)."""

    __slots__ = ("current", "id")


class Recorder:
    """All state of one process. After a fork the child's `begin` makes everything new."""

    tape_type = Tape

    def __init__(self, folders, text, payload_bytes, native=None, cost_ns=0):
        """Args:
        folders: where the tape goes, in order of preference.
        text: what the head says of this process.
        payload_bytes: how many bytes of each payload to keep.
        native: the module `_core` if the C core writes the tape, else None.
        cost_ns: of recording one call; 0: not measured.
        """
        self.folders = folders
        self.cost_ns = cost_ns
        self.text = text
        self.payload_bytes = payload_bytes
        self.native = native
        self.thread_type = native.Thread if native else Thread
        self.core = None
        if native:
            self.core = native.Core(
                payload_bytes=payload_bytes,
                ticks=_kernel_counts_ticks(),
                map_segment=_map_segment,
                enter_thread=_enter_thread,
                identify=_identify,
                find_site=_find_site,
                kind_of=_kind_of,
                failure=_failure,
                unrecorded=_unrecorded,
                fault=_fault,
                address=_address,
            )
        self.begin("", None)

    def begin(self, parent, inherited):
        """Start an empty tape.

        Args:
            parent: name of the tape of the process this one was forked from, or "".
            inherited: what its `Sockets.bequeath` gave, or None.
        """
        self.tape = self.tape_type(self.folders, parent, self.cost_ns)
        if self.core is not None:
            self.core.reset()
            self.tape.next_call, self.tape.next_cell = self.core.next_call, self.core.next_cell
        self.sites = Sites(self.tape)
        self.sockets = Sockets(self.tape, inherited, self.native.Entry if self.native else Entry, self.core)
        self.local = _thread._local()
        self.next_thread = itertools.count(1).__next__
        # The hot path reads these as globals of this module: an attribute costs twice as much.
        scope = globals()
        scope["local"] = self.local
        scope["entries"] = self.sockets.entries
        scope["site_numbers"] = self.sites.numbers
        scope["call_segments"] = self.tape.calls
        scope["next_slot"] = self.tape.next_call
        scope["recorder"] = self

    def after_fork(self):
        """In the child: nothing of the parent's tape is ours any more."""
        self.begin(self.tape.name or self.tape.parent, self.sockets.bequeath())

    def open(self):
        """Say that this process is here. Raises OSError where there is no room for even that."""
        self.tape.open(self.text)


# Set by Recorder.begin.
local = None
entries = None
site_numbers = None
call_segments = None
next_slot = None
recorder = None


def _map_calls(number):
    return _map_segment("c", number)


def _map_segment(stream, number):
    tape = recorder.tape
    if tape.head is None:
        tape.open(recorder.text)
    return tape.map_segment(stream, number)


def _kernel_counts_ticks():
    """Say whether the kernel keeps time by the processor's counter: then the C core may read it, too."""
    try:
        descriptor = os.open("/sys/devices/system/clocksource/clocksource0/current_clocksource", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(descriptor, 64).strip() == b"tsc"
    finally:
        os.close(descriptor)


# What the C core asks of Python; looked up anew each time, since a fork replaces all of it.


def _identify(sock):
    return recorder.sockets.identify(sock)


def _find_site(frame):
    return recorder.sites.find(frame)


def _kind_of(code):
    return recorder.sites.kind(code)


def _address(entry, address):
    return recorder.sockets.address(entry.family, address)


def _enter_thread():
    """Return the running thread, made known at its first call; both cores ask, each when it meets it first."""
    thread = getattr(local, "thread", None)
    if thread is not None:
        return thread
    thread = recorder.thread_type()
    thread.id = recorder.next_thread()
    thread.current = 0
    local.thread = thread
    recorder.tape.note(layout.NOTE_THREAD, thread.id, _native_id(), _thread_name())
    return thread


def _thread_name():
    """Return Python's name of the running thread, without making it one that threading knows."""
    threading = sys.modules.get("threading")
    known = getattr(threading, "_active", {}).get(_ident())
    name = getattr(known, "_name", None)
    if name is None:
        return "MainThread" if _native_id() == _getpid() else ""
    return str(name)


def hook(original, operation, ask, finish, before=None):
    """Return a function that makes a call of `original` and records it.

    Args:
        original: the method as it was, called as original(sock, *args, **kw).
        operation: its code in the layout.
        ask: function(args, kw) -> (asked, flags, address or None), or None where the first argument is
            what is asked and the second the flags.
        finish: function(entry, sock, args, kw, result, number, buffer, at, asked, ended) -> (result, outcome,
            errno) for the slot, called after a success; or None: nothing to say.
        before: function(entry, sock), called before the call is made; or None.
    """

    def hooked(sock, *args, **kw):
        number = buffer = at = None
        try:
            number = next_slot()
            try:
                buffer = call_segments[number >> _SLOT_BITS]
            except KeyError:
                buffer = _map_calls(number >> _SLOT_BITS)
            at = (number & _SLOT_MASK) * _SLOT_BYTES
            try:
                thread = local.thread
            except AttributeError:
                thread = _enter_thread()
            entry = entries.get(id(sock)) or recorder.sockets.identify(sock)
            frame = _getframe(1)
            site = site_numbers.get((id(frame.f_code), frame.f_lasti)) or recorder.sites.find(frame)
            if ask is None:
                asked, flags, peer = args[0] if args else _NOTHING, args[1] if len(args) > 1 else 0, 0
            else:
                asked, flags, peer = ask(args, kw)
                if peer is not None and peer != 0:
                    peer = recorder.sockets.address(entry.family, peer)
                else:
                    peer = 0
            parent = thread.current
            timeout_ns = entry.timeout_ns
            if flags & _MSG_DONTWAIT and timeout_ns == -1:
                timeout_ns = 0
            started = _now()
            _open_slot(buffer, at, thread.id, entry.id, started, asked, timeout_ns, parent, site, flags & _U32, peer, operation, _OPEN)
            thread.current = number + 1
            if before is not None:
                before(entry, sock)
        except Exception:
            thread = None
            _void(buffer, at)
        except BaseException:  # a signal handler raised, before the call was made
            _void(buffer, at)
            raise
        if thread is None:
            return _unrecorded(original, sock, args, kw)
        is_open = True
        try:
            try:
                result = original(sock, *args, **kw)
            except BaseException as error:
                ended = _now()
                thread.current = parent
                try:
                    if timeout_ns == 0 and type(error) is BlockingIOError and error.errno == _EAGAIN:
                        _close_with_tail(buffer, at + _DONE_AT, ended - started, _EAGAIN_TAIL)
                        is_open = False
                    else:
                        outcome, code = _failure(error, entry, sock, timeout_ns)
                        _close_slot(buffer, at + _DONE_AT, ended - started, _NOTHING, 0, code, outcome, 0, _COMPLETE)
                        is_open = False
                except Exception:
                    _fault()
                raise
            ended = _now()
            thread.current = parent
            try:
                moved, outcome, code = _NOTHING, _OK, 0
                if finish is not None:
                    moved, outcome, code = finish(entry, sock, args, kw, result, number, buffer, at, asked, ended)
                _close_slot(buffer, at + _DONE_AT, ended - started, moved, 0, code, outcome, 0, _COMPLETE)
                is_open = False
            except Exception:
                _fault()
            return result
        finally:
            if is_open and buffer[at + _STATE_AT] == _STILL_OPEN:  # something of ours failed, or a signal handler raised in it
                thread.current = parent
                _close_slot(buffer, at + _DONE_AT, _now() - started, _NOTHING, 0, 0, _unclear(), 0, _COMPLETE)

    return hooked


def _unclear():
    """Return the outcome of a call whose return we could not describe: by what is being raised, if anything."""
    error = sys.exc_info()[1]
    if error is None:
        return _OK
    return _OUTCOMES["error"] if isinstance(error, Exception) else _OUTCOMES["interrupted"]


def _void(buffer, at):
    """Mark the slot of a call that we could not describe, so that the drain does not wait for it."""
    try:
        if buffer is not None:
            buffer[at + _STATE_AT] = bytes((layout.VOID,))
    except Exception:
        pass


def _unrecorded(original, sock, args, kw):
    """Make a call that has no slot. Wrong arguments never reach the kernel: then nothing was lost."""
    made = True
    try:
        return original.__get__(sock)(*args, **kw)  # bound, as the program called it: messages name it so
    except (TypeError, ValueError, OverflowError):
        made = False
        raise
    finally:
        if made:
            try:
                recorder.tape.lose_call()
            except Exception:
                pass


def _fault():
    try:
        recorder.tape.count_fault()
    except Exception:
        pass


def keep_payload(number, size, data):
    """Write the first bytes of what a call moved.

    Args:
        number: of its slot.
        size: bytes moved.
        data: bytes-like, at least the first of them.
    """
    kept = recorder.payload_bytes
    if kept and size:
        recorder.tape.note_bytes(layout.NOTE_PAYLOAD, number, b"%d\0" % size + bytes(memoryview(data).cast("B")[: min(kept, size)]))


def _failure(error, entry, sock, timeout_ns):
    """Return (outcome, errno or 0) of a call that raised."""
    number = getattr(error, "errno", None) if isinstance(error, OSError) else None
    number = number if isinstance(number, int) and -(2**31) <= number < 2**31 else 0
    if number == _EAGAIN:
        return _again(entry, sock, timeout_ns), number
    if number in _BY_ERRNO:
        return _BY_ERRNO[number], number
    for kind in type(error).__mro__:
        if kind.__name__ in _BY_NAME:
            return _BY_NAME[kind.__name__], number
    if isinstance(error, Exception):
        return _OUTCOMES["error"], number
    return _OUTCOMES["interrupted"], number  # KeyboardInterrupt or SystemExit, raised by a signal handler


def _again(entry, sock, timeout_ns):
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


def new_timeout(entry, sock):
    """Take over what setblocking or settimeout set."""
    entry.timeout_ns = recorder.sockets.timeout_ns(sock, entry.fd)


class Call:
    """A call that a hook of ours makes from Python, outside `hook`: its place on the tape."""

    __slots__ = ("at", "buffer", "number", "parent", "started_ns", "thread")


now_ns = _now


def begin_call(operation, fd, asked, timeout_ns):
    """Open a slot for a call made from the caller of our caller's frame.

    Args:
        operation: its code.
        fd: of what it is made on, or -1.
        asked, timeout_ns: as in the layout.

    Returns:
        A Call for `end_call` or `fail_call`; None where there is no room: the call is lost, and counted.
    """
    call = Call()
    try:
        call.number = number = next_slot()
        call.buffer = buffer = (
            call_segments[number >> _SLOT_BITS] if number >> _SLOT_BITS in call_segments else _map_calls(number >> _SLOT_BITS)
        )
        if buffer is None:
            recorder.tape.lose_call()
            return None
        call.at = at = (number & _SLOT_MASK) * _SLOT_BYTES
        call.thread = thread = _enter_thread()
        socket = recorder.sockets.number_of_fd(fd) if fd >= 0 else 0
        site = recorder.sites.find(_getframe(2))
        call.parent = parent = thread.current
        call.started_ns = started_ns = _now()
        _open_slot(buffer, at, thread.id, socket, started_ns, asked, timeout_ns, parent, site, 0, 0, operation, _OPEN)
        thread.current = number + 1
    except Exception:
        _void(getattr(call, "buffer", None), getattr(call, "at", 0))
        _fault()
        return None
    return call


def end_call(call, ended_ns, result, outcome):
    """Complete a call that returned."""
    call.thread.current = call.parent
    _close_slot(call.buffer, call.at + _DONE_AT, ended_ns - call.started_ns, result, 0, 0, outcome, 0, _COMPLETE)


def fail_call(call, error):
    """Complete a call that raised."""
    ended_ns = _now()
    call.thread.current = call.parent
    try:
        outcome, code = _failure(error, None, None, 0)
        _close_slot(call.buffer, call.at + _DONE_AT, ended_ns - call.started_ns, _NOTHING, 0, code, outcome, 0, _COMPLETE)
    except Exception:
        _fault()


def set_peer(buffer, at, entry, address):
    """Write the address that a datagram came from."""
    number = recorder.sockets.address(entry.family, address)
    if number:
        buffer[at + _PEER_AT : at + _PEER_AT + 4] = number.to_bytes(4, "little")


def joined(buffers):
    """Return the first bytes of a list of buffers, no more than are kept."""
    kept = b""
    for buffer in buffers:
        kept += bytes(memoryview(buffer).cast("B")[: recorder.payload_bytes - len(kept)])
        if len(kept) >= recorder.payload_bytes:
            break
    return kept


def accepted(listener, sock, fd, address, at_ns):
    """Return the number of the socket that an accept returned."""
    return recorder.sockets.accepted(listener, fd, address, sock, at_ns).id


def refresh(entry, sock, role):
    """Note what bind, listen or connect changed about a socket."""
    recorder.sockets.refresh(entry, sock, role)


def leave_fd(entry, sock):
    """Forget a descriptor before it is closed: another thread may get the same number at once."""
    by_fd = recorder.sockets.by_fd
    if by_fd.get(entry.fd) is entry:
        del by_fd[entry.fd]


def closed(entry, by, at_ns):
    """Note that a socket was closed or detached."""
    if entry.open and entry.id:
        recorder.sockets.close(entry, by, at_ns)


def restart_after_fork():
    """In a forked child: nothing of the parent's tape is ours any more."""
    recorder.after_fork()
