"""What a call did, in a sentence for somebody who learns: what was asked, whether it waited, what came of it.

Owns the sentences, in any language. Knows values, neither file nor picture.
"""

from __future__ import annotations

from collections.abc import Callable

from .arguments import argument_words, errno_name, signal_name
from .cast import Cast
from .language import Language
from .language import message as message
from .listing import Entry
from .values import Delivery, Span
from .words import brief, duration, visible_bytes

Teller = Callable[[Span, str, Language], str]


def tell_entry(entry: Entry, cast: Cast) -> str:
    """Return the sentence of a line of a listing: one call, or the first of a spin and how many more there were."""
    language = cast.language
    said = tell_call(entry.first, cast)
    if entry.calls > 1:
        return language.say("{one}; {more}", one=said, more=_more(entry, cast))
    if entry.payload and entry.size:
        return language.say("{sentence}: {data}", sentence=said, data=visible_bytes(entry.payload, entry.size))
    return said


def _more(entry: Entry, cast: Cast) -> str:
    language, more = cast.language, entry.calls - 1
    time = duration(max(0, entry.last.ended_ns - entry.first.started_ns))
    if not entry.exact:
        return language.count("about {n} more follows in {time}, for nothing", "about {n} more follow in {time}, all of them for nothing",
                              more, time=time)
    said = language.count("{n} more like it follows in {time}, for nothing", "{n} more like it follow in {time}, all of them for nothing",
                          more, time=time)
    if len(entry.what) == 1:
        return said
    parts = [called_words(operation, cast.where(socket) if socket else "", language) + f" ×{calls:,}"
             for operation, socket, calls in entry.what[:3]]
    return f"{said} ({', '.join(parts)}{', …' if len(entry.what) > 3 else ''})"


def tell_call(call: Span, cast: Cast) -> str:
    """Return the sentence of one call."""
    language = cast.language
    called = called_words(call.operation, cast.where(call.socket_id) if call.socket_id else "", language)
    if call.unfinished:
        return language.say("{call} never returned: it was still waiting {time} later, when the run ended", call=called,
                            time=duration(call.duration_ns))
    if call.outcome == "ok":
        return _tell_success(call, called, cast)
    return _FAILED.get(call.outcome or "", _failed)(call, called, language)


def called_words(operation: str, where: str, language: Language) -> str:
    """Return what was called, on what: `recv on client anna`."""
    name = brief(operation.removeprefix("ring_"))
    if operation.startswith("ring_"):
        name = language.say("{operation} (by the ring)", operation=name)
    return language.say("{operation} on {where}", operation=name, where=where) if where else name


def _bare(operation: str) -> str:
    return operation.removeprefix("tls_").removeprefix("ring_")


def _receives(operation: str) -> bool:
    return _bare(operation).startswith(("recv", "read"))


def _sends(operation: str) -> bool:
    return _bare(operation).startswith(("send", "write"))


def _waited(call: Span) -> bool:
    return call.kind == "blocked"


def _tell_success(call: Span, called: str, cast: Cast) -> str:
    language = cast.language
    if _bare(call.operation) == "accept":
        who = cast.where(call.result)
        if _waited(call):
            return language.say("{call} stood still for {time}, then took up {who}", call=called, time=duration(call.duration_ns), who=who)
        if call.layer == "ring":
            return language.say("{call} was done after {time}: the kernel took up {who}", call=called, time=duration(call.duration_ns),
                                who=who)
        return language.say("{call} took up {who} at once", call=called, who=who) + _phases(call, language)
    if call.layer == "wait" or call.operation == "ring_wait":
        return _tell_wait(call, called, language)
    if _receives(call.operation) and call.result is not None:
        return _tell_receive(call, called, language)
    if _sends(call.operation) and (call.result is not None or call.asked is not None):
        return _tell_send(call, called, language)
    return _tell_other(call, called, cast)


def _tell_receive(call: Span, called: str, language: Language) -> str:
    size = _bytes(call.result or 0, language)
    if call.asked == 0:
        return language.say("{call} asked for no bytes, and got none", call=called)
    if call.layer == "socket" and (call.flags or 0) & _MSG_PEEK and not _waited(call):
        return language.say("{call} looked at {size} and took nothing out of the kernel", call=called, size=size)
    if _waited(call):
        said = language.say("{call} stood still for {time}, then returned {size}", call=called, time=duration(call.duration_ns), size=size)
    elif call.layer == "ring":
        said = language.say("{call} was done after {time}: the kernel copied {size}", call=called, time=duration(call.duration_ns),
                            size=size)
    else:
        said = language.say("{call} returned {size} at once", call=called, size=size)
    return said + _phases(call, language)


def _phases(call: Span, language: Language) -> str:
    if call.sat_ns:
        return language.say(", which had lain in the kernel for {time}", time=duration(call.sat_ns))
    if call.wait_ns is None or call.copy_ns is None:
        return ""
    return language.say(" ({wait} until the kernel had it, {copy} to wake up and copy)", wait=duration(call.wait_ns),
                        copy=duration(call.copy_ns))


def _tell_send(call: Span, called: str, language: Language) -> str:
    done = call.asked if call.result is None else call.result
    size = _bytes(done or 0, language)
    if call.asked is not None and call.result is not None and call.result < call.asked and not call.operation.startswith("sendfile"):
        return language.say("{call} handed over only {n} of {size}: the send buffer has no room for the rest", call=called,
                            n=f"{call.result:,}", size=_bytes(call.asked, language))
    if _waited(call):
        return language.say("{call} stood still for {time} until the kernel had taken {size}", call=called,
                            time=duration(call.duration_ns), size=size)
    return language.say("{call} handed {size} to the kernel", call=called, size=size)


def _tell_wait(call: Span, called: str, language: Language) -> str:
    if call.operation.startswith("sig") and call.result:
        return language.say("{call} waited {time} until {signal} came", call=called, time=duration(call.duration_ns),
                            signal=signal_name(call.result))
    if call.operation == "pause":
        return language.say("{call} waited {time} for a signal", call=called, time=duration(call.duration_ns))
    if call.operation == "ring_wait":
        ready = language.say("a request is done")  # its result says how many were handed in with it, not how many are done
    elif not call.result:
        return _nothing_ready(call, called, language)
    else:
        ready = language.count("{n} socket is ready", "{n} sockets are ready", call.result)
    if _waited(call):
        return language.say("{call} waited {time} for all of them together: {ready}", call=called, time=duration(call.duration_ns),
                            ready=ready)
    return language.say("{call} returned at once: {ready}", call=called, ready=ready)


def _nothing_ready(call: Span, called: str, language: Language) -> str:
    if call.timeout_ns == 0:
        return language.say("{call} looked and did not wait: nothing is ready", call=called)
    return language.say("{call} waited {time}, and nothing became ready", call=called, time=duration(call.duration_ns))


def _tell_other(call: Span, called: str, cast: Cast) -> str:
    language, operation = cast.language, _bare(call.operation)
    if operation == "listen" and call.asked is None:
        return language.say("{call}: from now on the kernel takes up connections, and they wait here for accept", call=called)
    if operation == "listen":
        return language.say("{call}: from now on the kernel takes up connections, and up to {n} wait here for accept", call=called,
                            n=call.asked)
    if operation == "bind" and (call.peer or "").endswith(":0") and cast.local.get(call.socket_id or 0):
        return language.say("{call} asked for any free port and got {address}", call=called, address=brief(cast.local[call.socket_id or 0]))
    if operation == "bind":
        return language.say("{call} gave it its address {address}", call=called, address=brief(call.peer or "?"))
    if operation == "close":
        return language.say("{call}: it is gone", call=called)
    if operation.startswith("connect"):
        return language.say("{call} connected after {time}" if _waited(call) else "{call} connected at once", call=called,
                            time=duration(call.duration_ns))
    if operation == "settimeout" and call.asked:
        return language.say("{call}: from now on a call waits at most {time}", call=called, time=duration(call.asked))
    if operation == "settimeout" or (operation == "setblocking" and call.asked is not None):
        waits = call.asked is None or call.asked > 0
        return language.say("{call}: from now on a call that would have to wait waits" if waits else
                            "{call}: from now on a call that would have to wait raises BlockingIOError instead", call=called)
    if operation == "shutdown" and call.asked == 0:
        return language.say("{call}: from now on a receive here ends with b''; the other side is told nothing", call=called)
    if operation == "shutdown":
        return language.say("{call}: the other side will read b'' when it has read the rest", call=called)
    if operation in _WATCHING:
        return language.say(_WATCHING[operation], call=called)
    if operation == "do_handshake":
        return language.say("{call}: both sides agreed on keys after {time}", call=called, time=duration(call.duration_ns))
    given = ", ".join(argument_words(call))
    return language.say("{call} was done", call=f"{called} ({given})" if given else called)


def _would_block(call: Span, called: str, language: Language) -> str:
    if _sends(call.operation):
        return language.say("{call} could hand over nothing, as the send buffer is full: BlockingIOError", call=called)
    return language.say("{call} returned at once with nothing: BlockingIOError", call=called)


def _eof(call: Span, called: str, language: Language) -> str:
    if _waited(call):
        return language.say("{call} stood still for {time}, then returned b'': the other side will send no more", call=called,
                            time=duration(call.duration_ns))
    if call.layer == "ring":
        return language.say("{call} was done after {time} with b'': the other side will send no more", call=called,
                            time=duration(call.duration_ns))
    return language.say("{call} returned b'' at once: the other side will send no more", call=called)


def _timeout(call: Span, called: str, language: Language) -> str:
    if call.layer == "wait":
        return _nothing_ready(call, called, language)
    return language.say("{call} gave up after {time}: TimeoutError", call=called, time=duration(call.duration_ns))


def _plain(message: str) -> Teller:
    return lambda call, called, language: language.say(message, call=called, time=duration(call.duration_ns))


def _failed(call: Span, called: str, language: Language) -> str:
    what = errno_name(call.errno) if call.errno else brief(call.outcome or "?")
    return language.say("{call} failed after {time}: {error}", call=called, time=duration(call.duration_ns), error=what)


_MSG_PEEK = 0x2
_WATCHING = {
    "register": message("{call}: from now on the kernel watches one more socket for it"),
    "modify": message("{call}: from now on the kernel watches one socket for something else"),
    "unregister": message("{call}: the kernel watches one socket less"),
}
_FAILED: dict[str, Teller] = {
    "would_block": _would_block, "eof": _eof, "timeout": _timeout,
    "in_progress": _plain(message("{call} is on its way: the kernel goes on by itself, the program does not wait")),
    "reset": _plain(message("{call} failed: the other side reset the connection, ConnectionResetError")),
    "broken_pipe": _plain(message("{call} failed: nobody is there to read any more, BrokenPipeError")),
    "refused": _plain(message("{call} failed: nobody listens there, ConnectionRefusedError")),
    "aborted": _plain(message("{call} failed: the connection was given up, ConnectionAbortedError")),
    "interrupted": _plain(message("{call} was interrupted by a signal after {time}")),
    "cancelled": _plain(message("{call} was cancelled after {time}")),
    "want_read": _plain(message("{call} came to nothing: TLS wants to read from the other side first")),
    "want_write": _plain(message("{call} came to nothing: TLS wants to write to the other side first")),
}


def _bytes(count: int, language: Language) -> str:
    return language.count("{n} byte", "{n} bytes", count)


def tell_signal(signal: Delivery, cast: Cast) -> str:
    """Return the sentence of a signal that came."""
    language, name = cast.language, brief(signal.signal)
    if signal.via == "sigwait":
        return language.say("{signal} came to {call}", signal=name, call=brief(signal.during or "a wait"))
    if signal.ended_ns is None:
        return language.say("{signal} came, and its handler never returned", signal=name)
    time = duration(signal.ended_ns - signal.started_ns)
    if signal.during:
        return language.say("{signal} came in the midst of {call}; its handler ran {time}", signal=name, call=brief(signal.during),
                            time=time)
    return language.say("{signal} came; its handler ran {time}", signal=name, time=time)
