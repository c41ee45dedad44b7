"""What both cores share: the state of this process, and all that a recorded call needs but seldom.

Owns Recorder, what the C core asks of Python, and calls that hooks of ours make from Python. Knows tape,
sites and sockets; not how it is put into the program, and not the hot path, which is in `_core.c` and in
its twin, python_core.py.

Promise: nothing here raises into the program or changes what it gets. A call for which something
of ours fails is made bare, and counted as lost.
"""

import _thread
import itertools
import os
import sys
import time

from . import kernel, layout
from .entries import Entry, Numbers
from .lookalike import veil
from .outcomes import failure
from .raised import is_theirs, of_handler, pass_on
from .sites import Sites
from .sockets import Sockets
from .tape import Tape

now_ns = time.monotonic_ns
_getframe = sys._getframe
_ident = _thread.get_ident
_native_id = _thread.get_native_id
_getpid = os.getpid
_PARENT_AT = 32  # of a slot's bytes, where its parent stands: see layout
_NOTHING, _OPEN, _COMPLETE, _VOID = layout.NOTHING, layout.OPEN, layout.COMPLETE, bytes((layout.VOID,))
_SLOT_BITS, _SLOT_MASK, _SLOT_BYTES = layout.SLOT_BITS, layout.SLOTS - 1, layout.SLOT_BYTES
_DONE_AT, _PEER_AT, _STATE_AT = layout.SLOT_DONE_AT, layout.SLOT_PEER_AT, layout.SLOT_STATE_AT
_open_slot = layout.SLOT_OPEN.pack_into
_close_slot = layout.SLOT_DONE.pack_into
_IN_PROGRESS = layout.OUTCOMES["in_progress"]
_SOL_SOCKET, _SCM_RIGHTS = 1, 1


class Thread:
    """One thread of the program: its number, and the slot of the call it is in (+ 1; 0: none).

    `received` tells of its last receive: socket, slot, bytes, the first HEAD_BYTES of them; None where there is none.
    """

    __slots__ = ("current", "id", "received")

    def __init__(self):
        self.received = None


HEAD_BYTES = 32  # of a TLS record: its header and enough of what is random, or looks so, to know it again


class Recorder:
    """All state of one process. After a fork the child's `begin` makes everything new."""

    tape_type = Tape

    def __init__(self, folders, text, payload_bytes, native=None, cost_ns=0, kernel_times=False):
        """Args:
        folders: where the tape goes, in order of preference.
        text: what the head says of this process.
        payload_bytes: how many bytes of each payload to keep.
        native: the module `_core` if the C core writes the tape, else None.
        cost_ns: of recording one call; 0: not measured.
        kernel_times: ask the kernel when data arrives.
        """
        self.folders = folders
        self.cost_ns = cost_ns
        self.text = text
        self.payload_bytes = payload_bytes
        self.native = native
        self.thread_type = native.Thread if native else Thread
        self.files = native.Numbers() if native else Numbers()  # descriptors that are no sockets, as far as we know
        self.core = None
        if native:
            self.core = native.Core(
                payload_bytes=payload_bytes,
                ticks=_kernel_counts_ticks(),
                map_segment=_map_segment,
                enter_thread=enter_thread,
                identify=_identify,
                find_site=_find_site,
                kind_of=_kind_of,
                failure=failed,
                unrecorded=veil(unrecorded),
                lose=lose,
                fault=fault,
                address=address_of,
                of_handler=is_theirs,
                refork=restart_after_fork,
            )
        self.arrivals = _arrivals().Arrivals(self.core) if kernel_times else None
        self.begin("", None)

    def begin(self, parent, inherited):
        """Start an empty tape.

        Args:
            parent: name of the tape of the process this one was forked from, or "".
            inherited: what its `Sockets.bequeath` gave, or None.
        """
        self.pid = _getpid()
        self.forks = []  # one for each that is under way
        self.tape = self.tape_type(self.folders, parent, self.cost_ns)
        self.tape.text = self.text
        if self.core is not None:
            self.core.reset()
            self.tape.number_by(self.core)
        self.sites = Sites(self.tape)
        self.files.clear()
        self.sockets = Sockets(self.tape, inherited, self.native.Entry if self.native else Entry, self.core, self.files, self.arrivals)
        self.local = _thread._local()
        self.next_thread = itertools.count(1).__next__
        shared = {
            "local": self.local,
            "entries": self.sockets.entries,
            "site_numbers": self.sites.numbers,
            "call_segments": self.tape.calls,
            "next_slot": self.tape.next_call,
            "recorder": self,
        }
        for scope in _scopes:
            scope.update(shared)

    def after_fork(self):
        """In the child: nothing of the parent's tape is ours any more."""
        if self.pid == _getpid():
            return  # begun already, by code that ran before this hook
        self.begin(self.tape.name or self.tape.parent, self.sockets.bequeath())

    def open(self):
        """Say that this process is here. Raises OSError where there is no room for even that."""
        self.tape.open(self.text)


def _arrivals():
    from . import arrivals  # it has its share of our state, and is wanted seldom

    return arrivals


# Set by Recorder.begin, here and wherever else `share` was asked for.
local = entries = site_numbers = call_segments = next_slot = recorder = None
_scopes = [globals()]

# Set by tls.install.
watching = False  # whether anybody asks what was received last
rewraps = None  # function(frame): whether it gives a socket's descriptor to an object of its own


def replace(name, value):
    """Put something else in the place of a part of the state, wherever it is shared."""
    for scope in _scopes:
        scope[name] = value


def share(scope):
    """Put the state of this process among a module's globals, now and after each fork.

    Reading a global costs half of what an attribute of another module does.

    Args:
        scope: the globals of a module that names local, entries, site_numbers, call_segments, next_slot and recorder.
    """
    _scopes.append(scope)


def map_calls(number):
    """Return the buffer of a calls segment, None where there is no room."""
    return _map_segment("c", number)


def _map_segment(stream, number):
    return recorder.tape.map_segment(stream, number)


def _kernel_counts_ticks():
    """Say whether the kernel keeps time by the processor's counter: then the C core may read it, too."""
    try:
        descriptor = os.open("/sys/devices/system/clocksource/clocksource0/current_clocksource", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        pass_on(error)
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


def address_of(entry, address):
    """Return the number of an address that a call on a socket names; a connect that goes on in the kernel asks for it again."""
    if entry.stream:
        local.asked = (entry, address)
    return recorder.sockets.address(entry.family, address)


def failed(error, entry, timeout_ns, started_ns=None):
    """Return outcome and errno of a call that raised; one that only says that the kernel connects made a connection of the socket."""
    outcome, code = failure(error, entry, timeout_ns, started_ns)
    if outcome == _IN_PROGRESS and entry is not None:
        connecting(entry)
    return outcome, code


def connecting(entry):
    """Note a connection that the kernel is making: it has its address, though nobody can ask for it yet."""
    asked = getattr(local, "asked", None)
    sock = entry.ref[1]() if isinstance(entry.ref, tuple) else entry.ref and entry.ref()
    if sock is not None:
        recorder.sockets.refresh(entry, sock, "connected", asked[1] if asked and asked[0] is entry else None)


def enter_thread():
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


def void(buffer, at, thread=None, parent=None):
    """Mark the slot of a call that we could not describe, so that the drain does not wait for it; its thread is in it no more."""
    if thread is not None and parent is not None:
        thread.current = parent
    try:
        if buffer is not None and at is not None:
            buffer[at + _STATE_AT] = _VOID
    except Exception as error:
        pass_on(error)


def unrecorded(original, sock, args, kw):
    """Make a call that has no slot. Wrong arguments never reach the kernel: then nothing was lost."""
    made = True
    try:
        return original.__get__(sock)(*args, **kw)  # bound, as the program called it: messages name it so
    except (TypeError, ValueError, OverflowError) as error:
        made = of_handler(error)
        raise
    finally:
        if made:
            try:
                recorder.tape.lose_call()
            except Exception as error:
                pass_on(error)


def lose(calls):
    """Count calls that the C core made bare where there was no room for any Python."""
    recorder.tape.lose_call(calls)


def fault(error=None):
    """Count an error of our own that the program must not see; one that a signal handler of the program raised goes on."""
    if error is not None:
        pass_on(error)
    try:
        recorder.tape.count_fault()
    except Exception as another:
        pass_on(another)


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


def received(entry, number, size, data):
    """Keep what tells a receive from others, if anybody asks. For whole `bytes` the C core does this for itself."""
    if watching and size > 0:
        local.thread.received = (entry.id, number, size, bytes(memoryview(data).cast("B")[: min(size, HEAD_BYTES)]))


def last_received():
    """Return what the running thread received last: (socket, slot, bytes, the first of them), or None."""
    return getattr(getattr(local, "thread", None), "received", None)


def new_timeout(entry, sock):
    """Take over what setblocking or settimeout set."""
    entry.timeout_ns = recorder.sockets.timeout_ns(sock, entry.fd)


class Call:
    """A call that a hook of ours makes from Python, outside `hook`: its place on the tape."""

    __slots__ = ("at", "buffer", "number", "parent", "segments", "started_ns", "thread")


def begin_call(operation, fd, asked, timeout_ns, socket=None, flags=0, call=None, depth=2):
    """Open a slot for a call made from the caller of our caller's frame.

    Args:
        operation: its code.
        fd: of what it is made on, or -1.
        asked, timeout_ns, flags: as in the layout.
        socket: number of what it is made on; None: of whatever is open on `fd`.
        call: a new Call to be filled in, if the caller has one.
        depth: how many frames above ours the caller's is.

    Returns:
        A Call for `end_call` or `fail_call`; None where there is no room: the call is lost, and counted.
    """
    call = Call() if call is None else call
    try:
        call.number, call.segments = number, _ = next_slot(), call_segments
        call.buffer = buffer = (
            call_segments[number >> _SLOT_BITS] if number >> _SLOT_BITS in call_segments else map_calls(number >> _SLOT_BITS)
        )
        if buffer is None:
            recorder.tape.lose_call()
            return None
        call.at = at = (number & _SLOT_MASK) * _SLOT_BYTES
        call.thread = thread = enter_thread()
        if recorder.sockets.ended:
            recorder.sockets.bury()
        if socket is None:
            socket = recorder.sockets.number_of_fd(fd) if fd >= 0 else 0
        site = recorder.sites.find(_getframe(depth))
        call.parent = parent = thread.current
        call.started_ns = started_ns = now_ns()
        _open_slot(buffer, at, thread.id, socket, started_ns, asked, timeout_ns, parent, site, flags & 0xFFFFFFFF, 0, operation, _OPEN)
        thread.current = number + 1
    except BaseException as error:
        void(*[getattr(call, name, None) for name in ("buffer", "at", "thread", "parent")])
        fault(error)
        return None
    return call


def begin_request(operation, fd, asked, thread):
    """Open a slot for what the kernel does beside the program's threads.

    Args:
        operation, fd, asked: as of `begin_call`.
        thread: the one that stands for the kernel.

    Returns:
        A Call for `end_request`, or None: it is lost, and counted.
    """
    call = begin_call(operation, fd, asked, 0)
    if call is not None:
        call.thread.current = call.parent
        thread_id = thread.id.to_bytes(4, "little")
        call.buffer[call.at : call.at + 4] = thread_id
        call.buffer[call.at + _PARENT_AT : call.at + _PARENT_AT + 8] = bytes(8)
        call.thread, call.parent = thread, 0
    return call


def is_of_parent(call):
    """Say whether a signal handler forked in the middle of a call, and this is the child: the parent will complete it."""
    return call.segments is not call_segments


def end_request(call, ended_ns, result, outcome, code):
    """Complete a request, or what begin_call began."""
    if not is_of_parent(call):
        _close_slot(call.buffer, call.at + _DONE_AT, ended_ns - call.started_ns, result, 0, code, outcome, 0, _COMPLETE)


def end_call(call, ended_ns, result, outcome):
    """Complete a call that returned."""
    call.thread.current = call.parent
    end_request(call, ended_ns, result, outcome, 0)


def fail_call(call, error, entry=None, timeout_ns=0):
    """Complete a call that raised.

    Args:
        error: that exception.
        entry: of the socket it was made on, where EAGAIN may come of a call that could wait.
        timeout_ns: how long it might.
    """
    ended_ns = now_ns()
    call.thread.current = call.parent
    try:
        outcome, code = failure(error, entry, timeout_ns, call.started_ns)
        end_request(call, ended_ns, _NOTHING, outcome, code)
    except Exception as problem:
        fault(problem)


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


def passed(ancillary):
    """Note the sockets that a message brought along."""
    for level, kind, data in ancillary:
        if level == _SOL_SOCKET and kind == _SCM_RIGHTS:
            for at in range(0, len(data) - 3, 4):
                recorder.sockets.passed(int.from_bytes(data[at : at + 4], sys.byteorder))


def leave_fd(entry, sock):
    """Forget a descriptor before it is closed: another thread may get the same number at once. Ask the kernel what moved."""
    try:
        counted = kernel.counted(entry, sock)
        if counted is not None:
            recorder.sockets.counted[entry.id] = counted
    except OSError as error:
        pass_on(error)
    recorder.sockets.name_unbound(entry, sock)
    by_fd = recorder.sockets.by_fd
    if by_fd.get(entry.fd) is entry:
        del by_fd[entry.fd]


def closed(entry, by, at_ns):
    """Note that a socket was closed or detached."""
    if entry.open and entry.id:
        recorder.sockets.close(entry, by, at_ns)


def detached(entry, sock, at_ns):
    """Note that an object gave up its descriptor: to nobody we know, or to TLS."""
    frame = _getframe(1)
    for _ in range(3):  # the callback, perhaps the Python core's hook, the caller
        if rewraps is not None and frame is not None and rewraps(frame):
            recorder.sockets.hand_over(entry, sock)
            return
        frame = frame and frame.f_back
    closed(entry, "detach", at_ns)


def restart_after_fork():
    """In a forked child: nothing of the parent's tape is ours any more."""
    recorder.after_fork()


def settle():
    """Begin a tape of our own if this is a child whose fork is not over: before anything is looked up in the parent's."""
    if recorder.forks:
        recorder.after_fork()
