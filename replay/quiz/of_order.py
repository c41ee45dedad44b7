"""Questions about who is served, and who waits for whom.

Owns in which states only one order is possible: one client has asked, or the only thread stands in a call that only one can end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from ..player.crowd import ClientState
from ..telling import called_words
from ..values import Exchange, Span
from ..waits import Wait, find_waits
from ..words import brief, duration
from .material import SENDS, Material
from .of_calls import RECEIVES
from .values import Draft, Idea, Option

APART_NS = 1_000_000
"""What lies so far apart did not come to be by chance."""
_MOST, _MOST_OPTIONS = 40, 4
_LONG_NS = 20_000_000
_COMPUTES_NS = 50_000_000
_CAUSE, _ASIDE = 0.6, 0.2  # shares of a wait: so much in one call is its cause, so little is not


def ideas_of_order(material: Material) -> Iterator[Idea]:
    """Yield what may be asked about the order in which clients are served."""
    if len(material.serving) == 1 and material.play.exchanges:
        for wait in find_waits(material.story)[:_MOST]:
            if wait.how == "blocked" and wait.answered and wait.waited_ns >= _LONG_NS:
                yield Idea("why", f"why {wait.client}", 5.0, partial(_ask_why, material, wait))
    for exchange in material.play.exchanges[:_MOST]:
        if exchange.n and exchange.result == "ok":
            yield Idea("served", f"served free {exchange.client}", 1.5, partial(_ask_free, material, exchange))
    for signature, places in material.by_kind:
        operation = material.reader.operation(signature.operation_id)
        if operation in RECEIVES and signature.socket_id in material.clients:
            for place in material.spread(places, 8):
                if len(material.serving) == 1:
                    yield Idea("served", f"served held {signature.socket_id}", 5.0, partial(_ask_held, material, place))
                yield Idea("lay", f"lay {signature.socket_id}", 4.0, partial(_ask_lay, material, place))
        elif operation == "accept":
            for place in material.spread(places, 8):
                yield Idea("turn", f"turn {place}", 3.0, partial(_ask_turn, material, place))


def _options(names: Sequence[str]) -> tuple[Option, ...]:
    return tuple(Option(f"client:{name}", brief(name, 24)) for name in names)


def _choose(right: str, others: Sequence[ClientState]) -> list[str] | None:
    """Return the right client and up to three others; None where there are too few, or two of one name."""
    names = list(dict.fromkeys([right, *(client.name for client in others)]))[:_MOST_OPTIONS]
    return names if len(names) >= 3 and len({brief(name, 24) for name in names}) == len(names) else None


def _next_answered(material: Material, at_ns: int) -> str | None:
    """Return whose answer was the first to come after a moment; None where two came together."""
    answers = material.play.answers
    at = bisect_right(answers, at_ns)
    if at >= len(answers) or (at + 1 < len(answers) and answers[at + 1] - answers[at] < APART_NS
                              and material.play.answered[at + 1][0] != material.play.answered[at][0]):
        return None
    return material.play.answered[at][0]


def _ask_free(material: Material, exchange: Exchange) -> Draft | None:
    """Ask who is served next where exactly one client has asked."""
    sent_ns, answered_ns, say = exchange.sent_ns, exchange.answered_ns, material.language.say
    if sent_ns is None or answered_ns is None or answered_ns - sent_ns < 40_000:
        return None
    others = [other for other in material.play.exchanges if other is not exchange and other.sent_ns is not None]
    if any(other.sent_ns is not None and other.sent_ns < answered_ns and (other.answered_ns is None or other.answered_ns > sent_ns)
           for other in others):
        return None
    at_ns = sent_ns + 10_000
    present = material.present(at_ns)
    own = next((client for client in present if client.name == exchange.client), None)
    names = _choose(exchange.client, [client for client in present if client.accepted])
    if own is None or not own.accepted or names is None or _next_answered(material, at_ns) != exchange.client:
        return None
    proof = _served_by(material, exchange.socket_id, at_ns)
    if proof is None:
        return None
    because = say("Only {name} has asked: whoever connected first, a server answers who has said something.",
                  name=brief(exchange.client, 24))
    return _draft_of_clients(material, at_ns, exchange.client, names, say("Who is served next?"), because, [proof], ())


def _served_by(material: Material, socket_id: int | None, at_ns: int) -> Span | None:
    """Return the first receive with data on a socket that came to an end after a moment."""
    position = material.line.at_time(at_ns).position
    for place in material.later(position - 1, socket_id):
        signature = material.line.signature(place)
        if material.line.ids[place] > 0 and not signature.fruitless:
            call = material.span(place)
            if call.operation.removeprefix("ring_") in RECEIVES:
                return call if call.bytes else None
    return None


def _ask_held(material: Material, place: int) -> Draft | None:
    """Ask who is served next while the only thread stands in a receive from one client, and others have asked."""
    call, say = material.span(place), material.language.say
    if call.kind != "blocked" or call.outcome != "ok" or call.duration_ns < _LONG_NS or call.timeout_ns is not None:
        return None
    name = material.clients.get(call.socket_id or 0)
    ready_ns = call.ended_ns if call.ready_ns is None else min(call.ready_ns, call.ended_ns)
    came = [exchange.sent_ns for exchange in material.play.exchanges
            if exchange.sent_ns is not None and exchange.client != name and call.started_ns < exchange.sent_ns < ready_ns - 4 * APART_NS]
    if name is None or not came:
        return None
    at_ns = max(came) + APART_NS
    present = material.present(at_ns)
    own = next((client for client in present if client.name == name), None)
    waiting = [client for client in present if material.waits(client, at_ns)]
    names = _choose(name, sorted(present, key=lambda client: client.waiting_since_ns is None))
    if own is None or own.waiting_since_ns is not None or not waiting or names is None or _next_answered(material, at_ns) != name:
        return None
    more = say("{name} will speak again before it leaves.", name=brief(name, 24))
    since = say("The program has one thread. For {time} it has been in {call}, which blocks.", time=duration(at_ns - call.started_ns),
                call=material.called(call))
    because = say("The thread sleeps in a call on one socket: only {name} can wake it. Whoever else has asked waits in the kernel.",
                  name=brief(name, 24))
    return _draft_of_clients(material, at_ns, name, names, say("Who is served next?"), because, [call], (since, more))


def _draft_of_clients(
    material: Material, at_ns: int, right: str, names: Sequence[str], ask: str, because: str, proof: Sequence[Span],
    more: tuple[str, ...],
) -> Draft:
    ids = tuple(call.call_id for call in proof)
    call = proof[0]
    code = material.code(call) if call.started_ns < at_ns < call.ended_ns else ()
    told = frozenset({f"call:{id_}" for id_ in ids} | {f"served:{right}"})
    return Draft(
        f"client:{right}", _options(names), (*material.people(at_ns), *more), ask,
        material.joined(because, material.proof(call)), ids, at_ns, material.place(call) if code else "", code,
        call.thread_id, call.socket_id, told, told)


def _ask_turn(material: Material, place: int) -> Draft | None:
    """Ask whom an accept takes up while several wait in the listener's queue."""
    call, say = material.span(place), material.language.say
    name = material.clients.get(call.result or 0)
    if call.outcome != "ok" or name is None or call.unfinished:
        return None
    queued = [client for client in material.clients_at(call.started_ns) if client.connected and not client.accepted]
    connected = {exchange.client: exchange.connected_ns or 0 for exchange in material.play.exchanges}
    order = sorted(queued, key=lambda client: connected[client.name])
    if len(order) < 3 or order[0].name != name or connected[order[1].name] - connected[name] < APART_NS:
        return None
    names = _choose(name, order[1:])
    if names is None:
        return None
    at_ns = call.started_ns
    scene = []
    for client in sorted(order[:_MOST_OPTIONS], key=lambda client: client.name):
        time = duration(at_ns - connected[client.name])
        if client.waiting_since_ns is None:
            scene.append(say("{name} connected {time} ago, and has said nothing.", name=brief(client.name, 24), time=time))
        else:
            scene.append(say("{name} connected {time} ago, and asked {since} ago.", name=brief(client.name, 24), time=time,
                             since=duration(at_ns - client.waiting_since_ns)))
    scene.append(say("None of them has been accepted. The program calls {call}.", call=material.called(call)))
    because = say("The kernel's queue is first in, first out: by when a client connected, not by when it asked.")
    told = frozenset({f"call:{call.call_id}", f"served:{name}"})
    return Draft(f"client:{name}", _options(names), tuple(scene), say("Which client does this accept take up?"),
                 material.joined(material.proof(call), because), (call.call_id,), at_ns, material.place(call), material.code(call),
                 call.thread_id, call.socket_id, told | {"fifo"}, told | {"fifo"})


def _ask_why(material: Material, wait: Wait) -> Draft | None:
    """Ask in which call the program stood while a client waited."""
    say, play = material.language.say, material.play
    exchange = next((one for one in play.exchanges if one.client == wait.client and one.n == wait.n), None)
    if exchange is None or exchange.sent_ns is None or exchange.answered_ns is None:
        return None
    spent: Counter[tuple[str, int | None]] = Counter()
    causes: dict[tuple[str, int | None], list[Span]] = {}
    for call in material.story.calls:
        over_ns = min(call.ended_ns, exchange.answered_ns) - max(call.started_ns, exchange.sent_ns)
        if over_ns > 0:
            spent[call.operation, call.socket_id] += over_ns
            causes.setdefault((call.operation, call.socket_id), []).append(call)
    whole_ns = exchange.answered_ns - exchange.sent_ns
    right = wait.operation, wait.socket_id
    others = [pair for pair in _pairs(material, exchange.socket_id) if pair != right and spent[pair] <= _ASIDE * whole_ns]
    if spent[right] < _CAUSE * whole_ns or len(others) < 2:
        return None
    cast, language = play.cast, material.language
    words = {pair: called_words(pair[0], cast.where(pair[1]) if pair[1] else "", language) for pair in [right, *others[:3]]}
    if len(set(words.values())) < len(words):
        return None
    longest = max(causes[right], key=lambda call: call.duration_ns)
    scene = (*material.people(exchange.sent_ns, hide=exchange.client),
             say("{name} asks now, and gets the answer {time} later.", name=brief(exchange.client, 24), time=duration(whole_ns)))
    because = say("A client whose bytes have long arrived waits for another one: head-of-line blocking.")
    ids = tuple(call.call_id for call in sorted(causes[right], key=lambda call: -call.duration_ns)[:8])
    told = frozenset({f"call:{id_}" for id_ in ids} | {f"held:{exchange.client}"})
    return Draft(
        f"in:{right[0]}:{right[1]}", tuple(Option(f"in:{pair[0]}:{pair[1]}", said) for pair, said in words.items()), scene,
        say("In which call does the program stand most of that time?"), material.joined(material.proof(longest), because), ids,
        exchange.sent_ns, thread_id=longest.thread_id, socket_id=exchange.socket_id, tells=told, asks=told)


def _pairs(material: Material, own: int | None) -> list[tuple[str, int | None]]:
    """Return operations that the program called on sockets: those on the client's own first, then accepts, then other clients'."""
    found = dict.fromkeys((material.reader.operation(signature.operation_id), signature.socket_id) for signature, _ in material.by_kind)
    wanted = [pair for pair in found if pair[0] in RECEIVES or pair[0] in SENDS or pair[0] == "accept"]
    return sorted(wanted, key=lambda pair: (pair[1] != own, pair[0] != "accept", pair[0] in SENDS))


_MEANWHILE = ("idle", "held", "copy", "way")


def _ask_lay(material: Material, place: int) -> Draft | None:
    """Ask what the program did while bytes lay in the kernel, where it called next to nothing."""
    call, say = material.span(place), material.language.say
    name = material.clients.get(call.socket_id or 0)
    if name is None or call.ready_ns is None or not call.bytes or call.sat_ns < APART_NS or call.parent_id is not None:
        return None
    if call.sat_ns < _COMPUTES_NS and "sleeps" not in material.model.variant:
        return None  # it may have had no processor
    if len(material.serving) != 1 or _busy_ns(material, place, call.ready_ns, call.started_ns) > _ASIDE * call.sat_ns:
        return None
    words = {
        "idle": say("it calls nothing: it sleeps, or computes"), "held": say("it stands in a call on another socket"),
        "copy": say("it copies the bytes, which takes so long"), "way": say("it waits: the bytes are still on their way"),
    }
    scene = (
        say("The bytes of {name} are in the server's kernel.", name=brief(name, 24)),
        say("{call} is called only {time} later, and returns them at once.", call=material.called(call), time=duration(call.sat_ns)))
    before = material.neighbour(place, -1)
    because = say("Between two rounds the loop makes no call: a sleep against the load is paid for by everybody who asks meanwhile.")
    ids = (call.call_id,) if before is None else (call.call_id, material.span(before).call_id)
    told = frozenset({f"call:{call.call_id}", "sleeps"})
    return Draft("idle", tuple(Option(key, words[key]) for key in _MEANWHILE), scene, say("What does the program do in between?"),
                 material.joined(material.proof(call), because), ids, call.ready_ns, thread_id=call.thread_id, socket_id=call.socket_id,
                 tells=told, asks=told)


def _busy_ns(material: Material, place: int, from_ns: int, to_ns: int) -> int:
    """Return how long the thread of a step was in calls between two moments; all of it where the sixteen steps before do not tell."""
    line, total = material.line, 0
    track = line.threads[line.signature(place).thread_id].positions
    at = bisect_right(track, place) - 1
    for earlier in reversed(track[max(0, at - 16):at]):
        if line.ids[earlier] < 0:
            return to_ns - from_ns
        total += max(0, min(line.ends[earlier], to_ns) - max(line.starts[earlier], from_ns))
        if line.ends[earlier] <= from_ns:
            return total
    return to_ns - from_ns
