"""Questions about how a program serves: with how many sockets, in which order it calls what, who else serves meanwhile.

Owns what the calls alone prove, whoever the clients were: nothing here needs a workload.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import partial

from ..telling import message
from ..values import Span
from ..words import duration, visible
from .material import SENDS, Material
from .of_calls import RECEIVES
from .values import Draft, Idea, Option

_LONG_NS = 20_000_000
_CLEAR_NS = 1_000_000
"""What is to lie within a call begins and ends so far from its borders."""
_MOST_CALLS = 2_000
_MOST_ORDERS = 4


def ideas_of_servers(material: Material) -> Iterator[Idea]:
    """Yield what may be asked about how a program serves."""
    yield Idea("sockets", "sockets", 3.0, partial(_ask_sockets, material))
    yield Idea("life", "life", 2.0, partial(_ask_life, material))
    if len(material.serving) < 2:
        return
    for signature, places in material.by_kind:
        if material.reader.operation(signature.operation_id) in RECEIVES and not signature.fruitless:
            for place in material.spread(places, 8):
                yield Idea("beside", f"beside {signature.socket_id}", 5.0, partial(_ask_beside, material, place))


_SOCKETS = {
    "one": message("1: what comes from all of them comes over the same socket"),
    "each": message("{n}: one for each of them"),
    "both": message("{more}: one that takes them up, and one for each of them"),
}

_CONNECTED = message("{n} clients connected to it over TCP, and were accepted.")
_CAME = message("Datagrams came to it over UDP, from {n} addresses.")
_NEW_SOCKET = message("Each accept returns a new socket, for this one connection; the listener itself never carries a byte.")
_NO_CONNECTIONS = message(
    "UDP knows no connections and no accept: each datagram brings the address of its sender, and the answer is sent there.")


def _ask_sockets(material: Material) -> Draft | None:
    """Ask with how many sockets a program served its clients."""
    found = _accepted(material) or _datagrams(material)
    if found is None or found[1] < 2:
        return None
    call, n, say = *found, material.language.say
    stream = call.operation == "accept"
    options = [Option(f"sockets:{key}", say(words, n=f"{n:,}", more=f"{n + 1:,}")) for key, words in _SOCKETS.items()]
    scene = say(_CONNECTED if stream else _CAME, n=f"{n:,}")
    because = say(_NEW_SOCKET if stream else _NO_CONNECTIONS)
    told = frozenset({f"call:{call.call_id}", "sockets"})
    return Draft(
        "sockets:both" if stream else "sockets:one", tuple(options), (scene,), say("How many sockets did it need for them?"),
        material.joined(material.proof(call), because), (call.call_id,), tells=told, asks=told)


def _accepted(material: Material) -> tuple[Span, int] | None:
    """Return the first accept and how many there were, where one listener alone took up all."""
    taken: list[int] = []
    listeners = set()
    for signature, places in material.by_kind:
        if material.reader.operation(signature.operation_id) == "accept" and signature.outcome_id in material.ok:
            listeners.add(signature.socket_id)
            taken.extend(places)
    if len(listeners) != 1 or listeners & material.reader.internal or any(number < 0 for number in material.line.ids):
        return None
    return material.span(min(taken)), len(taken)


def _datagrams(material: Material) -> tuple[Span, int] | None:
    """Return the first datagram that came, and from how many addresses they came, where all came over one socket."""
    places: list[int] = []
    sockets = set()
    for signature, held in material.by_kind:
        if material.reader.operation(signature.operation_id) in RECEIVES and material.is_datagram(signature.socket_id):
            if signature.outcome_id in material.ok:
                sockets.add(signature.socket_id)
                places.extend(held)
        elif material.reader.operation(signature.operation_id) == "accept":
            return None
    if len(sockets) != 1 or len(places) > _MOST_CALLS or any(number < 0 for number in material.line.ids):
        return None
    calls = [material.span(place) for place in sorted(places)]
    peers = {call.peer for call in calls}
    return None if None in peers else (calls[0], len(peers))


_STEPS = {"receive": message("receive"), "send": message("send")}
"""Those with several operations; accept, shutdown and close are called so in every language."""


def _step(operation: str) -> str | None:
    """Return which step in the life of a connection an operation is; None: none of them."""
    if operation in RECEIVES:
        return "receive"
    return "send" if operation in SENDS else operation if operation in ("shutdown", "close") else None


def _lives(material: Material) -> dict[int, list[tuple[str, int]]]:
    """Return of each accepted connection its steps in the order in which each was made first, with their places."""
    lives: dict[int, list[tuple[str, int]]] = {}
    for place in range(min(len(material.line), _MOST_CALLS)):
        signature = material.line.signature(place)
        operation = material.reader.operation(signature.operation_id)
        if operation == "accept" and signature.outcome_id in material.ok and (taken := material.span(place).result):
            lives.setdefault(taken, []).insert(0, ("accept", place))
        life, step = lives.get(signature.socket_id or 0), _step(operation)
        if life is not None and step is not None and all(step != known for known, _ in life):
            life.append((step, place))
    return lives


def _ask_life(material: Material) -> Draft | None:
    """Ask in which order a program calls something on each of its connections, where all of them were alike."""
    lives = list(_lives(material).values())
    orders = {tuple(step for step, _ in life) for life in lives}
    if len(lives) < 2 or len(orders) != 1 or len(material.line) > _MOST_CALLS or any(number < 0 for number in material.line.ids):
        return None
    (order,) = orders
    others = _other_orders(order)
    if len(order) < 4 or order[-1] != "close" or len(others) < 2:
        return None
    say, last = material.language.say, material.span(lives[0][-1][1])
    options = tuple(Option(f"order:{','.join(steps)}", " → ".join(say(_STEPS.get(step, step)) for step in steps))
                    for steps in (order, *others))
    because = say("A connection begins with accept and ends with close: who does not close it keeps its descriptor.")
    told = frozenset({f"call:{last.call_id}", "life"})
    return Draft(
        f"order:{','.join(order)}", options,
        (say("It accepted {n} connections. On all of them the first call of each sort came in the same order.", n=f"{len(lives):,}"),),
        say("In which order?"), material.joined(material.proof(last), because), (last.call_id,), tells=told, asks=told)


def _other_orders(order: Sequence[str]) -> list[tuple[str, ...]]:
    """Return up to three orders that could be thought right: who speaks first, who takes up before anything came, who ends first."""
    def swapped(one: str, other: str) -> tuple[str, ...]:
        places = {one: other, other: one}
        return tuple(places.get(step, step) for step in order)

    pairs = [("receive", "send"), ("accept", "receive"), ("shutdown", "close"), ("send", "close")]
    made = dict.fromkeys(swapped(*pair) for pair in pairs if set(pair) <= set(order))
    return [steps for steps in made if steps != tuple(order)][:_MOST_ORDERS - 1]


_BESIDE = {
    "thread": message("another thread, in a call of its own"),
    "after": message("nobody, until this call has returned"),
    "same": message("this call: it returns with them"),
    "signal": message("this thread: the kernel interrupts its call for them"),
}


def _ask_beside(material: Material, place: int) -> Draft | None:
    """Ask who receives from another connection while a thread stands in a call that blocks."""
    call, say = material.span(place), material.language.say
    if call.kind != "blocked" or call.duration_ns < _LONG_NS or call.unfinished or not material.stands_alone(call):
        return None
    then = _received_within(material, place, call)
    if then is None:
        return None
    name = material.play.cast.where(then.socket_id)
    at_ns = max(then.started_ns, then.ended_ns - _CLEAR_NS // 10)
    scene = (say("The program has several threads. For {time}, one of them has been in {call}, which blocks.",
                 time=duration(at_ns - call.started_ns), call=material.called(call)),
             say("Bytes come on {name}.", name=name))
    because = say("A blocking call holds up its own thread only: with one for each connection, a silent client stops nobody else.")
    told = frozenset({f"call:{then.call_id}", f"call:{call.call_id}", "beside"})
    return Draft(
        "thread", tuple(Option(key, say(words)) for key, words in _BESIDE.items()), scene, say("Who receives them?"),
        material.joined(material.proof(then), because), (then.call_id, call.call_id), at_ns, visible(call.site.short) if call.site else "",
        material.code(call), then.thread_id, then.socket_id, told | {"model"}, told)


def _received_within(material: Material, place: int, call: Span) -> Span | None:
    """Return a receive of another thread, on another connection, whose bytes came within a call, and which ended within it."""
    line = material.line
    ends: array[int] = line.ends
    first = bisect_left(ends, call.started_ns + _CLEAR_NS)
    for other in range(first, min(place, first + _MOST_CALLS)):
        signature = line.signature(other)
        if line.ids[other] < 0 or signature.fruitless or signature.thread_id == call.thread_id or signature.socket_id == call.socket_id:
            continue
        if line.ends[other] > call.ended_ns - _CLEAR_NS:
            return None
        row = material.reader.sockets.get(signature.socket_id or 0)
        if row is None or row["role"] != "accepted" or material.reader.operation(signature.operation_id) not in RECEIVES:
            continue
        then = material.span(other)
        if then.bytes and (then.kind == "blocked" or then.started_ns >= call.started_ns + _CLEAR_NS):
            return then
    return None
