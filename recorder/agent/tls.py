"""TLS: what the program reads and writes in the clear, on a socket or in memory.

Owns the four methods of C under `ssl.SSLSocket` and `ssl.SSLObject` (the classes of the module `ssl`
stay as they are), and knowing which socket's bytes an SSLObject gets. Knows the cores' hooks, not the tape.

SSLSocket: OpenSSL reads and writes the socket itself, so the TLS call is the call on that socket.
SSLObject: OpenSSL sees memory only; what receives and sends are calls of the program. Its socket is the one
whose last received bytes, on the same thread, are those that are put into its incoming MemoryBIO.
"""

import _functools  # type: ignore[import-not-found]
import _socket
import _weakref

from . import core, layout
from .lookalike import BoundMethod, Method, stands_in
from .methods import ask_send, sent
from .python_core import hook
from .raised import pass_on
from .sealed import set_on_sealed_type

_Socket = _socket.socket
_NOTHING = layout.NOTHING
_OPERATIONS = layout.OPERATIONS
_OK, _EOF = layout.OUTCOMES["ok"], layout.OUTCOMES["eof"]
_partial, _ref = _functools.partial, _weakref.ref


def _ask_nothing(args, kw):
    return _NOTHING, 0, None


def _ask_read(args, kw):
    asked = args[0]
    if len(args) > 1:
        room = memoryview(args[1]).nbytes
        asked = asked if 0 < asked <= room else room
    return asked, 0, None


def _got(entry, sock, args, kw, result, number, buffer, at, asked, ended):
    if len(args) > 1:
        moved, data = result, args[1]
    else:
        moved, data = len(result), result
    core.keep_payload(number, moved, data)
    core.received(entry, number, moved, data)
    return moved, _EOF if not moved and asked > 0 else _OK, 0


# method of _ssl._SSLSocket -> (operation on a socket, operation in memory, ask, finish)
METHODS = {
    "read": ("tls_recv", "tls_read", _ask_read, _got),
    "write": ("tls_send", "tls_write", ask_send, sent),
    "do_handshake": ("do_handshake", "do_handshake", _ask_nothing, None),
    "shutdown": ("unwrap", "unwrap", _ask_nothing, None),
}
_NATIVE_ASK = {_ask_read: "ASK_READ", ask_send: "ASK_BUFFER", _ask_nothing: "ASK_NOTHING"}
_NATIVE_FINISH = {_got: "FINISH_BYTES", sent: "FINISH_COUNT", None: "FINISH_NOTHING"}


def _native_method(recorder, original, operations, ask, finish):
    native = recorder.native
    ask_kind, finish_kind = getattr(native, _NATIVE_ASK[ask]), getattr(native, _NATIVE_FINISH[finish])
    return recorder.core.method(original, operations[0], ask_kind, ask, finish_kind, finish, BoundMethod, operations[1], None)


def _python_method(original, operations, ask, finish):
    """Return what makes a call on a connection of C and records it as one on its owner, an SSLSocket or SSLObject."""

    def call(owner, connection, *args, **kw):
        return original(connection, *args, **kw)

    def ask_past_connection(args, kw):
        return ask(args[1:], kw)

    def finish_past_connection(entry, owner, args, *rest):
        return finish(entry, owner, args[1:], *rest)

    on_socket, in_memory = (
        hook(call, operation, ask_past_connection, finish and finish_past_connection) for operation in operations
    )

    def hooked(connection, *args, **kw):
        owner = connection.owner
        if owner is None:
            return original(connection, *args, **kw)
        return (on_socket if isinstance(owner, _Socket) else in_memory)(owner, connection, *args, **kw)

    return _looking_like(original, hooked)


def _looking_like(original, hooked):
    hooked.__name__ = original.__name__
    hooked.__wrapped__ = original
    return Method(hooked, original)


class Channels:
    """The memory that feeds each SSLObject."""

    def __init__(self):
        self._fed = {}  # id of an incoming MemoryBIO -> (it, so that the id stays its own; reference to the SSLObject)

    def opened(self, incoming, owner):
        """Remember a MemoryBIO for as long as its SSLObject lives."""
        key = id(incoming)
        fed = self._fed

        fed[key] = (incoming, _ref(owner, _partial(fed.pop, key)))  # of C only: what a signal handler raises there would be lost

    def written(self, incoming, data):
        """See whose bytes are put into a MemoryBIO, if that is not known yet."""
        known = self._fed.get(id(incoming))
        owner = known and known[1]()
        if owner is None:
            return
        sockets = core.recorder.sockets
        entry = sockets.entry_of(owner)
        last = None if entry.id else core.last_received()
        if not last:
            return
        socket, number, size, head = last
        view = memoryview(data).cast("B")
        if socket and len(view) == size and view[: len(head)] == head:
            entry.id = socket
            core.recorder.tape.note(layout.NOTE_OVER_MEMORY, socket, number)


def _hook_wrap_bio(original, channels):
    def _wrap_bio(context, *args, **kw):
        connection = original(context, *args, **kw)
        try:
            channels.opened(args[0] if args else kw["incoming"], kw["owner"])
        except Exception as error:
            pass_on(error)  # not as `ssl` calls it: its socket stays unknown
        return connection

    return _wrap_bio


def _hook_write(original, channels):
    def write(incoming, *args, **kw):
        result = original(incoming, *args, **kw)
        try:
            channels.written(incoming, args[0])
        except Exception as error:
            pass_on(error)
        return result

    return write


def install(ssl, recorder):
    """Put the recording methods in place.

    Args:
        ssl: the module `ssl`, whose `_ssl` has the classes of C.
        recorder: whose core they call.
    """
    classes = ssl._ssl
    connection = classes._SSLSocket
    for name, (on_socket, in_memory, ask, finish) in METHODS.items():
        original = vars(connection)[name]
        if stands_in(original):
            continue
        operations = _OPERATIONS[on_socket], _OPERATIONS[in_memory]
        if recorder.core is not None:
            method = _native_method(recorder, original, operations, ask, finish)
        else:
            method = _python_method(original, operations, ask, finish)
        set_on_sealed_type(connection, name, method)
    if recorder.core is not None:
        recorder.core.wants(ssl.SSLWantReadError, ssl.SSLWantWriteError)
    channels = Channels()
    for cls, name, observed in ((classes._SSLContext, "_wrap_bio", _hook_wrap_bio), (classes.MemoryBIO, "write", _hook_write)):
        original = vars(cls)[name]
        if not stands_in(original):
            set_on_sealed_type(cls, name, _looking_like(original, observed(original, channels)))
    create = ssl.SSLSocket._create.__func__.__code__
    place = create.co_filename, create.co_name  # not the code itself: a program may import `ssl` afresh
    core.rewraps = lambda frame: (frame.f_code.co_filename, frame.f_code.co_name) == place
    core.watching = True
