"""Questions about one call: what will it do, given what lies in the kernel?

Owns which calls may be asked about. What the kernel had is known by what came of the call; a call that a few microseconds more or
less would have made another is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..language import Language
from ..telling import message
from ..values import Span
from ..words import duration
from .material import SENDS, Material
from .values import Draft, Idea, Option

RECEIVES = frozenset({"recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"})
WAITS = frozenset({"select", "poll", "epoll_wait"})
_WAITS = WAITS | {"ring_wait"}
SURELY_WAITED_NS = 5_000_000
"""A call that took so long found nothing when it began, whatever the scheduler did."""
AT_ONCE_NS = 20_000
"""A call that could wait and took no longer did not sleep: waking up takes more."""
BEFORE_NS = 50_000
"""What came so much before a call was there when it began."""
_EACH = 12
_REPORTED_NS = 300_000
"""What a wait had named was there; a call after it that took longer may have been beaten to it by another."""
_SMALL_BYTES = 4_096
"""So few bytes a send buffer takes whole where it has room at all."""
READABLE, WRITABLE = 0x1, 0x4

_OPTIONS = {
    "waits": message("it waits until something comes"),
    "data": message("it returns at once with the bytes that are there"),
    "eagain": message("it raises BlockingIOError at once"),
    "eof": message("it returns b'' at once"),
    "reset": message("it raises ConnectionResetError"),
    "timeout": message("it raises TimeoutError in the end"),
    "accepted": message("it returns a connection at once"),
    "none": message("it returns None at once"),
    "sent": message("it hands over all the bytes at once"),
    "room": message("it waits until its send buffer has room"),
    "read": message("it waits until the other side has read them"),
    "broken": message("it raises BrokenPipeError"),
    "empty": message("it returns at once, naming none"),
    "named": message("it returns at once, naming one that is ready"),
}
_LIMITED = message("it waits until something comes, or its time is up")
_WHY = {
    "waits": message("A blocking call waits in the kernel until there is something. Its thread sleeps meanwhile, and serves nobody else."),
    "data": message("Bytes lay in the receive queue: blocking or not, a receive copies what is there and returns at once."),
    "eagain": message("A nonblocking call never waits. BlockingIOError (EAGAIN) says that there is nothing yet: an answer, not a fault."),
    "eof": message("b'' says that the other side will send no more: no error, and the same at every further call, for ever."),
    "reset": message("A reset throws the connection away. Who reads from it next is told by ConnectionResetError."),
    "timeout": message("With a timeout, a call waits no longer than that, and then raises TimeoutError."),
    "accepted": message("The kernel had taken up the connection before: accept only hands it over, and returns at once."),
    "sent": message("A send copies the bytes into the kernel's buffer and returns: that the other side has them, it does not say."),
    "empty": message("With a timeout of 0 a wait only looks: it names those that are ready, here none, and never sleeps."),
    "wait": message("This one call waits for all sockets together. Its thread sleeps till one of them is ready, and copies nothing yet."),
    "ring": message("It waits for completions, not for readiness: when it returns, the kernel has copied the bytes already."),
    "stream": message("TCP is a stream of bytes without messages: the number asked for is the most, not what a receive waits for."),
    "datagram": message("A receive of datagrams returns one of them, never more: UDP keeps messages apart, as TCP does not."),
    "full": message("The send buffer was full. A nonblocking send never waits for room: it raises BlockingIOError."),
}


def ideas_of_calls(material: Material) -> Iterator[Idea]:
    """Yield what may be asked about single calls of a run."""
    for signature, places in material.by_kind:
        operation = material.reader.operation(signature.operation_id)
        known = operation in RECEIVES or operation == "accept" or operation in _WAITS or operation in SENDS
        if known and signature.socket_id not in material.reader.internal:
            for place in material.spread(places, _EACH):
                yield from _of_call(material, place)


def _of_call(material: Material, place: int) -> Iterator[Idea]:
    call = material.span(place)
    key = _key(material, place, call)
    if key is None or not material.stands_alone(call):
        return
    kind, weight = _kind(material, place, call, key)
    like = f"{kind} {call.operation} {key} {call.timeout_ns is None} {call.site.short if call.site else ''}"
    yield Idea(kind, like, weight, lambda: _ask(material, place, kind))
    part = call.asked is not None and call.result is not None and 2 <= call.result < call.asked
    datagram = material.is_datagram(call.socket_id)
    whole = call.outcome == "ok" if datagram else key == "data" and material.is_stream(call.socket_id)
    if part and whole and call.operation in RECEIVES:
        yield Idea("how_many", f"how_many {call.site.short if call.site else ''}", 2.5, lambda: _ask_how_many(material, place))


def _key(material: Material, place: int, call: Span) -> str | None:
    """Return what a call did by the key of its option, what a wait had named before it being there when it began."""
    key = right_key(call)
    wanted = call.outcome in ("ok", "eof") and (call.operation == "accept" or call.operation in RECEIVES)
    if key is not None or not wanted or call.duration_ns > _REPORTED_NS or not (_report(material, place, call) or 0) & READABLE:
        return key
    if call.operation == "accept":
        return "accepted"
    return "eof" if call.outcome == "eof" else "data" if call.bytes else None


def right_key(call: Span) -> str | None:
    """Return what a call did by the key of its option; None where that was near to something else, or is nothing to ask."""
    if call.unfinished or (call.layer not in ("socket", "wait") and call.operation not in _WAITS):
        return None
    if call.operation in _WAITS:
        if call.timeout_ns == 0 and not call.result:
            return "empty"
        ended = (call.outcome == "ok" and call.result) or (call.outcome == "timeout" and call.timeout_ns)
        return "waits" if ended and call.duration_ns >= SURELY_WAITED_NS else None
    if call.outcome == "would_block":
        return "eagain" if call.timeout_ns == 0 else None
    if call.outcome == "timeout":
        return "timeout" if call.timeout_ns else None
    if call.operation in SENDS:
        whole = call.outcome == "ok" and call.asked == call.result and 0 < call.bytes <= _SMALL_BYTES
        return "sent" if whole and call.kind != "blocked" and call.duration_ns <= _REPORTED_NS else None
    if call.timeout_ns != 0 and call.duration_ns >= SURELY_WAITED_NS and call.outcome in ("ok", "eof"):
        late = call.ready_ns is None or call.ready_ns - call.started_ns >= SURELY_WAITED_NS // 2
        return "waits" if late and not call.timeout_ns else None
    if call.outcome == "reset":
        return "reset" if call.operation in RECEIVES and call.duration_ns <= AT_ONCE_NS else None
    # What was there before: the kernel's word for it, or a call that could not wait.
    there = call.timeout_ns == 0 or (call.duration_ns <= AT_ONCE_NS and (call.outcome == "eof" or call.sat_ns >= BEFORE_NS))
    if call.outcome == "eof":
        return "eof" if there else None
    if call.outcome == "ok" and there:
        return "accepted" if call.operation == "accept" else "data" if call.bytes else None
    return None


def _kind(material: Material, place: int, call: Span, key: str) -> tuple[str, float]:
    """Return what sort of question a call makes, and how much it is worth."""
    if call.operation in _WAITS:
        return "call", 1.5
    if key == "sent":
        return "sent", 2.5
    if call.operation == "accept" and key == "accepted" and _report(material, place, call) is not None:
        return "readable", 2.5
    if call.operation in RECEIVES:
        if key in ("waits", "eagain") and _is_inherited(material, call, key):
            return "inherit", 6.0
        report = _report(material, place, call)
        if report is not None:
            return ("writable", 4.0) if key == "eagain" and report == WRITABLE else ("readable", 3.0)
        if key == "eagain" and _drains(material, place, call):
            return "drain", 3.0
    if key in ("eof", "reset"):
        return ("left", 4.0) if key == "eof" else ("reset", 3.0)
    return "call", 2.0


def _is_inherited(material: Material, call: Span, key: str) -> bool:
    """Whether a connection blocks though its listener does not, and nobody set either for it: on Linux accept passes nothing on."""
    return key == "waits" and call.timeout_ns is None and call.socket_id in _unset_connections(material)


def _unset_connections(material: Material) -> frozenset[int]:
    found = material.cache.get("unset")
    if found is None:
        accepted, set_ = set(), set()
        for signature, places in material.by_kind:
            operation = material.reader.operation(signature.operation_id)
            if operation in ("setblocking", "settimeout", "fcntl") and signature.socket_id:
                set_.add(signature.socket_id)
            if operation == "accept":
                calls = map(material.span, places[:5_000])
                accepted |= {call.result for call in calls if call.outcome == "ok" and call.timeout_ns == 0 and call.result}
        found = material.cache["unset"] = frozenset(accepted - set_)
    return found


def _report(material: Material, place: int, call: Span) -> int | None:
    """Return the events with which the wait just before reported the socket of its first call after it; None where none did."""
    for steps in range(-1, -9, -1):
        before = material.neighbour(place, steps)
        if before is None:
            return None
        earlier = material.span(before)
        if earlier.operation in WAITS:
            return material.reported(earlier, call.socket_id)
        if earlier.socket_id == call.socket_id:
            return None
    return None


def _drains(material: Material, place: int, call: Span) -> bool:
    """Whether the same loop has just read from the socket, or answered, and asks again."""
    before = material.neighbour(place, -1)
    return before is not None and (last := material.span(before)).socket_id == call.socket_id and last.bytes > 0


def _ask(material: Material, place: int, kind: str) -> Draft | None:
    call, say = material.span(place), material.language.say
    key = _key(material, place, call)
    if key is None or not _agrees(material, call, key):
        return None
    report = _report(material, place, call) if kind in ("readable", "writable") else None
    called = material.called(call)
    # Of the client itself more is said below: what lies in its queue, or that it has gone.
    own = None if key == "data" else material.clients.get(call.socket_id or 0)
    scene = [*material.people(call.started_ns, hide=own), *_before(material, place, call, kind)]
    if kind != "inherit":
        scene.append(_mode(call, called, material.language))
    scene.append(_kernel(material, call, key))
    why = [material.proof(call), say(_WHY[_reason(call, key)])]
    if kind == "inherit":
        why.append(say("On Linux accept does not pass O_NONBLOCK on: each connection must be set nonblocking by itself."))
    elif kind in ("readable", "writable", "drain"):
        why += _about_readiness(material, call, key, kind)
    ask = say("What will {call} do?", call=called)
    if report is not None:
        ask = say("The wait has named this socket. What will {call} do?", call=called)
    mark = f"{call.operation} {key} {call.timeout_ns}"
    words = {**_OPTIONS, "waits": _LIMITED} if call.operation in _WAITS and call.timeout_ns else _OPTIONS
    return Draft(
        key, tuple(Option(name, say(words[name])) for name in _choices(call, key)), tuple(scene), ask,
        material.joined(*why), (call.call_id,), call.started_ns, material.place(call), material.code(call), call.thread_id, call.socket_id,
        frozenset({f"call:{call.call_id}", mark, "model"}), frozenset({f"call:{call.call_id}", mark}))


def _agrees(material: Material, call: Span, key: str) -> bool:
    """Whether what clients were seen to do by then says the same as the call: else it was a matter of microseconds."""
    at_ns = call.started_ns
    if key == "sent":
        return True
    clients = material.clients_at(at_ns)
    waiting = [client for client in clients if material.waits(client, at_ns)]
    queued = [client for client in clients if client.connected and not client.accepted]
    if call.operation == "accept":
        if key == "accepted":
            return not clients or bool(queued)
        return not queued
    if call.operation in _WAITS:
        return not queued and not waiting
    own = material.client_state(at_ns, call.socket_id)
    if own is None:
        return True
    if key == "data":
        return own.waiting_since_ns is not None and call.started_ns - own.waiting_since_ns >= BEFORE_NS
    if key == "reset":
        return True
    # Who waits for an answer, all of whose question has been read, has nothing in the queue.
    return not material.waits(own, at_ns) or material.queued(call.socket_id, at_ns) == 0


def _choices(call: Span, key: str) -> tuple[str, ...]:
    if call.operation == "accept":
        return ("waits", "accepted", "eagain", "none") if key != "timeout" else ("waits", "timeout", "eagain", "none")
    if call.operation in _WAITS:
        return "waits", "empty", "eagain", "named"
    if call.operation in SENDS:
        return {"sent": ("room", "sent", "eagain", "read"), "timeout": ("sent", "timeout", "eagain", "broken")}.get(
            key, ("room", "sent", "eagain", "broken"))
    return {"reset": ("waits", "eagain", "eof", "reset"), "timeout": ("waits", "eagain", "eof", "timeout")}.get(
        key, ("waits", "data", "eagain", "eof"))


def _reason(call: Span, key: str) -> str:
    if call.operation in _WAITS and key == "waits":
        return "ring" if call.operation == "ring_wait" else "wait"
    return "full" if call.operation in SENDS and key == "eagain" else key


def _mode(call: Span, called: str, language: Language) -> str:
    if call.operation in _WAITS:
        if call.timeout_ns is None:
            return language.say("The program calls {call}, without a timeout.", call=called)
        return language.say("The program calls {call}, with a timeout of {time}.", call=called,
                            time=duration(call.timeout_ns) if call.timeout_ns else "0")
    if call.timeout_ns == 0:
        return language.say("The program calls {call}; this socket is nonblocking.", call=called)
    if call.timeout_ns is None:
        return language.say("The program calls {call}; this socket is blocking.", call=called)
    return language.say("The program calls {call}; this socket has a timeout of {time}.", call=called, time=duration(call.timeout_ns))


def _before(material: Material, place: int, call: Span, kind: str) -> list[str]:
    """Tell what the program did just before, where the question is about that."""
    say = material.language.say
    if kind == "inherit":
        return [say("The listener has been set nonblocking. For the connections that it gave, setblocking has not been called.")]
    if kind == "drain":
        before = material.neighbour(place, -1)
        return [material.proof(material.span(before))] if before is not None else []
    if kind == "writable":
        return [say("The wait has named this socket as writable (EPOLLOUT), not as readable.")]
    return []


def _kernel(material: Material, call: Span, key: str) -> str:
    """Tell what the kernel has for a call when it begins."""
    say = material.language.say
    if key == "sent":
        return say("It sends {n} bytes, for which there is room in the send buffer.", n=f"{call.bytes:,}")
    if call.operation in SENDS:
        return say("Its send buffer is full, and stays so." if key == "timeout" else "Its send buffer is full.")
    if call.operation == "accept":
        if key == "accepted":
            return say("In the listener's queue a connection waits that nobody has accepted.")
        if key == "timeout":
            return say("In the listener's queue nobody waits, and nobody comes in time.")
        return say("In the listener's queue nobody waits.")
    if call.operation == "ring_wait":
        return say("Of the requests that it has handed in, none is done.")
    if call.operation in WAITS:
        return say("Of the sockets that it asks about, none is ready.")
    if key == "data":
        return say("In the receive queue of this socket lie bytes that nobody has read.")
    if key == "eof":
        return say("The other side has closed, and all that it sent has been read.")
    if key == "reset":
        return say("The other side has reset the connection (RST).")
    if key == "timeout":
        return say("The receive queue of this socket is empty, and nothing comes in time.")
    if not material.is_stream(call.socket_id):
        return say("The receive queue of this socket is empty.")
    return say("The receive queue of this socket is empty, and the other side has not closed.")


def _about_readiness(material: Material, call: Span, key: str, kind: str) -> list[str]:
    language = material.language
    if kind == "drain":
        told = next((found for found in material.model.sockets if found.socket_id == call.socket_id), None)
        if told is None or not (told.model == "signal-driven" or "edge" in told.variant):
            return []
        return [language.say("It asks once more to learn that nothing is left: who is told of news only, by an edge or a signal, must.")]
    if kind == "writable":
        return [language.say("Ready means ready for what was asked: here there is room to send, and nothing to read.")]
    if key == "accepted":
        return [language.say("A listener is readable when a connection stands in its queue.")]
    if key == "eof":
        return [language.say("Readable does not mean that data is there: it means that recv will not wait, as at the end of a stream.")]
    return [language.say("Readable means that recv will not wait: here because of data.")] if key == "data" else []


def _ask_how_many(material: Material, place: int) -> Draft | None:
    call, say = material.span(place), material.language.say
    datagram = material.is_datagram(call.socket_id)
    if (not datagram and not _agrees(material, call, "data")) or not call.asked or not call.result:
        return None
    called, asked, result = material.called(call), f"{call.asked:,}", f"{call.result:,}"
    lies = say("In the receive queue of this socket lie {n} bytes. The program asks for {asked}.", n=result, asked=asked)
    if datagram:
        lies = say("The next datagram on this socket has {n} bytes. The program asks for {asked}.", n=result, asked=asked)
    scene = (*material.people(call.started_ns), lies)
    options = (
        Option(f"bytes:{call.result}", say("it returns {n} bytes as soon as they are there" if datagram else "it returns {n} bytes at once",
                                           n=result)),
        Option(f"bytes:{call.asked}", say("it returns {n} bytes, the missing ones as zeros", n=asked)),
        Option("bytes:1", say("it returns 1 byte at once, and the next one at the next call")),
        Option("waits", say("it waits until {n} bytes are there", n=asked)))
    told = frozenset({f"call:{call.call_id}", "datagram" if datagram else "stream"})
    because = say(_WHY["datagram" if datagram else "stream"])
    return Draft(
        f"bytes:{call.result}", options, scene, say("How many bytes does {call} return?", call=called),
        material.joined(material.proof(call), because), (call.call_id,), call.started_ns, material.place(call),
        material.code(call), call.thread_id, call.socket_id, told, told)
