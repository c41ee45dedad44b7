"""Questions about a whole run: its model, how many calls were for nothing, which phase takes the time, who copies.

Owns the ranges that answers are chosen from; a figure near the border of two is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from ..naming import SERVING
from ..phases import Phases, phases_of
from ..telling import message
from ..values import Span
from ..words import brief, duration, percent, visible
from .material import Material
from .of_calls import RECEIVES, WAITS
from .values import CodeLine, Draft, Idea, Option

_CLEAR = 1.5
"""A figure must be so many times away from the border of its range."""
_MOST_LINES = 6
_MODELS = {
    "blocking": message("blocking: each call waits till it has what it asked for"),
    "nonblocking": message("nonblocking: no call waits, the program asks again and again"),
    "multiplexing": message("multiplexing: one call waits for many sockets, others then copy"),
    "signal-driven": message("signal-driven: a signal says when, a call of the program copies"),
    "asynchronous": message("asynchronous: the kernel waits and copies, and says when it is done"),
}
_WHY_MODEL = {
    "blocking": message("Waiting and copying are one call here, and its thread sleeps in it."),
    "nonblocking": message("Its calls return at once, whether there is something or not, and the program asks again."),
    "multiplexing": message("One call waits for all sockets together; the bytes are copied by another call that the program makes."),
    "signal-driven": message("A signal tells that something is there; the bytes are copied by a call that the program makes."),
    "asynchronous": message("The program hands in requests. The kernel waits, copies, and only then says that it is done."),
}
_SHARES = ((0.0, 0.01, message("less than 1 %")), (0.01, 0.1, message("1 to 10 %")), (0.1, 0.5, message("10 to 50 %")),
           (0.5, 1.01, message("more than half")))
_COUNTS = ((0, 1, message("none")), (1, 100, message("1 to 99")), (100, 10_000, message("100 to 9,999")),
           (10_000, 2**62, message("10,000 or more")))


def ideas_of_runs(material: Material) -> Iterator[Idea]:
    """Yield what may be asked about a run as a whole."""
    asyncio = material.model.variant.startswith("asyncio")
    yield Idea("asyncio" if asyncio else "model", "model", 6.0 if asyncio else 3.0, partial(_ask_model, material))
    yield Idea("fruitless", "fruitless", 4.0, partial(_ask_fruitless, material))
    yield Idea("phase", "phase", 4.0, partial(_ask_phase, material))
    yield Idea("copying", "copying", 3.0, partial(_ask_copying, material))
    told = material.model.model in ("asynchronous", "signal-driven")
    yield Idea("copier", "copier", 4.0 if told else 2.0, partial(_ask_copier, material))
    for signature, places in material.by_kind:
        if material.reader.operation(signature.operation_id) in RECEIVES:
            for place in material.spread(places, 6):
                yield Idea("again", f"again {signature.site_id}", 6.0, partial(_ask_again, material, place))


def _lines(material: Material) -> tuple[str, tuple[CodeLine, ...]]:
    """Return the file from which most kinds of calls were made, and its lines that made them."""
    files: dict[str, dict[int, str]] = {}
    for signature, _ in material.by_kind:
        site = material.reader.sites.get(signature.site_id or 0)
        if site is not None and site.code:
            files.setdefault(site.file, {})[site.line] = site.code
    if not files:
        return "", ()
    file, lines = max(files.items(), key=lambda item: len(item[1]))
    return visible(file.rpartition("/")[2]), tuple(CodeLine(line, brief(lines[line], 90), False) for line in sorted(lines)[-_MOST_LINES:])


def _of_run(material: Material) -> list[str]:
    """Tell how long a run was and what was asked of it."""
    say, exchanges = material.language.say, material.play.exchanges
    said = []
    if exchanges:
        clients = len({exchange.client for exchange in exchanges})
        answered = sum(exchange.result == "ok" and exchange.n > 0 for exchange in exchanges)
        said.append(say("The run was {time} long. It had {clients} clients, and answered {n} times.", time=duration(material.reader.end_ns),
                        clients=f"{clients:,}", n=f"{answered:,}"))
    else:
        said.append(say("The run was {time} long.", time=duration(material.reader.end_ns)))
    if "sleeps" in material.model.variant:
        said.append(say("Between two rounds its loop sleeps."))
    return said


def _draft(
    material: Material, right: str, options: Sequence[Option], ask: str, because: str, proof: Sequence[int], what: str, model: bool = True,
) -> Draft:
    file, code = _lines(material)
    scene = [*_of_run(material)]
    if code:
        scene.append(material.language.say("These of its lines call something on a socket."))
    told = frozenset({what, *(f"call:{id_}" for id_ in proof)})
    return Draft(right, tuple(options), tuple(scene), ask, because, tuple(proof), None, file, code,
                 tells=told | ({"model"} if model else set()), asks=told)


def _named(material: Material, ids: Sequence[int]) -> str:
    """Return a sentence for the first of some calls."""
    found = material.reader.chosen(ids[:1]) if ids else {}
    return material.proof(found[ids[0]]) if found else ""


def _ask_model(material: Material) -> Draft | None:
    model, say = material.model, material.language.say
    rows = material.reader.sockets
    shown = {found.model for found in model.sockets if found.model != "unknown" and rows[found.socket_id]["role"] in SERVING}
    if model.model not in _MODELS or not model.proof or len(shown) > 1:
        return None
    asyncio = model.variant.startswith("asyncio")
    instead = {"blocking": ("nonblocking", "multiplexing", "asynchronous"), "nonblocking": ("blocking", "multiplexing", "asynchronous"),
               "multiplexing": ("blocking" if asyncio else "signal-driven", "nonblocking", "asynchronous"),
               "signal-driven": ("nonblocking", "multiplexing", "asynchronous"),
               "asynchronous": ("nonblocking", "multiplexing", "signal-driven")}[model.model]
    options = [Option(name, say(words)) for name, words in _MODELS.items() if name in (model.model, *instead)]
    because = say(_WHY_MODEL[model.model])
    proof = _longest_wait(material) if model.model == "multiplexing" else model.proof[:4]
    if asyncio:
        more = say("async and await arrange the program's text, not the copying: POSIX calls this synchronous I/O.")
        because = material.joined(because, more)
    ask = say("It is written with async and await. Which I/O model do its calls show?" if asyncio else
              "Which I/O model do its calls show, as Stevens and POSIX name them?")
    return _draft(material, model.model, options, ask, material.joined(_named(material, proof), because),
                  tuple(proof or model.proof[:4]), "model")


def _longest_wait(material: Material) -> tuple[int, ...]:
    calls = [call for call in material.story.calls if call.operation in WAITS and call.kind == "blocked" and call.outcome == "ok"]
    return (max(calls, key=lambda call: call.duration_ns).call_id,) if calls else material.model.proof[:1]


def _in_range(value: float, borders: Sequence[tuple[float, float, str]]) -> str | None:
    """Return the key of the range that a value lies in; None where it is near a border. Zero is far from all."""
    for number, (low, high, _) in enumerate(borders):
        if low <= value < high:
            clear = (low == 0 or value >= low * _CLEAR) and value * _CLEAR <= high
            return f"range:{number}" if clear or (value == 0) or (value == high == 1) else None
    return None


def _ask_fruitless(material: Material) -> Draft | None:
    say = material.language.say
    calls = sum(count.calls for count in material.reader.counts)
    fruitless = material.reader.kinds()["fruitless"][0]
    key = _in_range(fruitless, [(float(low), float(high), words) for low, high, words in _COUNTS])
    if key is None or not calls:
        return None
    firsts = [held[0] for signature, held in material.by_kind if signature.fruitless] or [held[0] for _, held in material.by_kind]
    some = max(map(material.span, firsts), key=lambda call: (call.kind == "blocked", -call.call_id))
    because = say("Of {calls} calls {n} came back with nothing.", calls=f"{calls:,}", n=f"{fruitless:,}")
    if fruitless >= 100:
        why = say("A loop that never waits asks as fast as the processor can. BlockingIOError is its usual answer.")
    elif not fruitless:
        why = say("Its calls wait, or are made only when something is there.")
    else:
        why = say("It asks only where something may be there, and learns that nothing is left.")
    return _draft(material, key, [Option(f"range:{number}", say(words)) for number, (_, _, words) in enumerate(_COUNTS)],
                  say("How many of its calls come back with nothing: BlockingIOError, or a look that finds none ready?"),
                  material.joined(because, why, say("For example:"), material.proof(some)), (some.call_id,), "fruitless")


_PHASES = {
    "waiting": message("waiting in select, poll, epoll_wait, pause or the ring"),
    "checking": message("asking in calls that come back with nothing"),
    "blocked": message("waiting for data within accept and recv"),
    "copying": message("copying bytes between kernel and program"),
    "program": message("the program's own work, or its sleep, outside of all calls"),
}
_WHY_PHASE = {
    "waiting": message("It sleeps in one call for all of them."),
    "checking": message("It never sleeps: it asks, and the answer is that nothing is there."),
    "blocked": message("It sleeps in the first phase of its calls: waiting for data."),
    "copying": message("It moves many bytes."),
    "program": message("Its calls are short: the time passes between them."),
}


def _parts(phases: Phases) -> dict[str, int]:
    return {"waiting": phases.waiting.ns, "checking": phases.checking.ns, "blocked": phases.blocked_wait_ns, "copying": phases.copy_ns,
            "program": phases.program_ns or 0}


def _ask_phase(material: Material) -> Draft | None:
    say, phases = material.language.say, phases_of(material.story)
    if not phases.threads_ns or not phases.known or len(material.serving) > 1:
        return None
    parts = _parts(phases)
    order = sorted(parts, key=parts.__getitem__, reverse=True)
    if parts[order[0]] < 0.5 * phases.threads_ns or parts[order[0]] < _CLEAR * parts[order[1]]:
        return None
    chosen = [order[0], *(name for name in ("copying", "program", "waiting", "blocked", "checking") if name != order[0])][:4]
    proof = _proof_of_phase(material, order[0])
    if proof is None:
        return None
    because = say("{share} of the time of its thread: {what}.", share=percent(phases.share(parts[order[0]])), what=say(_PHASES[order[0]]))
    return _draft(
        material, order[0], [Option(name, say(_PHASES[name])) for name in _PHASES if name in chosen],
        say("What does most of its thread's time go to?"), material.joined(because, say(_WHY_PHASE[order[0]]), material.proof(proof)),
        (proof.call_id,), "phase")


def _proof_of_phase(material: Material, name: str) -> Span | None:
    """Return the longest call of a phase; of the program's own work the first call."""
    def fits(call: Span) -> bool:
        wait = call.layer == "wait" or call.operation == "ring_wait"
        blocked = call.kind == "blocked"
        return {"waiting": wait and blocked, "checking": call.kind == "fruitless", "blocked": not wait and blocked,
                "copying": call.kind == "moved", "program": True}[name]

    told = [call for call in material.story.calls if fits(call) and not call.operation.startswith("ring_r") and call.call_id > 0]
    if not told:
        places = [held[0] for _, held in material.by_kind if fits(material.span(held[0]))]
        told = [material.span(place) for place in places]
    return max(told, key=lambda call: call.duration_ns) if told else None


def _ask_copying(material: Material) -> Draft | None:
    say, phases = material.language.say, phases_of(material.story)
    if not phases.threads_ns or not phases.known or not phases.copying.calls + phases.blocked.calls or phases.by_kernel.calls:
        return None
    share = phases.copy_ns / phases.threads_ns
    key = _in_range(share, _SHARES)
    moved = [call for call in material.story.calls if call.bytes] or [
        material.span(held[0]) for _, held in material.by_kind if material.span(held[0]).bytes]
    if key is None or not moved:
        return None
    longest = max(moved, key=lambda call: call.copy_ns or 0)
    because = say("Copying, waking up included, took {time} of {all}: {share}. The other phase, waiting, is what the models differ in.",
                  time=duration(phases.copy_ns), all=duration(phases.threads_ns), share=percent(share))
    return _draft(material, key, [Option(f"range:{number}", say(words)) for number, (_, _, words) in enumerate(_SHARES)],
                  say("How much of its threads' time goes to copying data between kernel and program?"),
                  material.joined(because, material.proof(longest)), (longest.call_id,), "copying", model=False)


_COPIERS = {
    "thread": message("a call that the program makes: its thread copies them, and goes on afterwards"),
    "kernel": message("the kernel by itself, while the program's thread does something else or sleeps"),
    "wait": message("select, poll or epoll_wait: when it names the socket, the bytes are in the program's buffer"),
    "signal": message("the kernel, as it delivers a signal: the bytes come with it"),
}


def _ask_copier(material: Material) -> Draft | None:
    say = material.language.say
    names: dict[str, list[int]] = {}
    rows = material.reader.sockets
    for signature, held in material.by_kind:
        operation = material.reader.operation(signature.operation_id)
        row = rows.get(signature.socket_id or 0)
        if row is not None and row["role"] in SERVING and not row["internal"] and operation in (*RECEIVES, "ring_recv"):
            names.setdefault(operation, []).extend(held[:20])
    ring = "ring_recv" in names
    if len({name.startswith("ring_") for name in names}) != 1:
        return None
    proof = next((call for places in names.values() for place in places if (call := material.span(place)).bytes), None)
    if proof is None:
        return None
    because = say(_WHY_MODEL["asynchronous"]) if ring else say(
        "Whatever tells that bytes are there, this receive copies them: by POSIX such I/O is synchronous.")
    client = material.play.cast.where(proof.socket_id)
    return _draft(material, "kernel" if ring else "thread", [Option(key, say(words)) for key, words in _COPIERS.items()],
                  say("What copies the bytes of {name} from the kernel's buffer into the program's?", name=client),
                  material.joined(material.proof(proof), because), (proof.call_id,), "copier")


_TOLD = {
    "yes": message("yes, at once: bytes are left in its queue"),
    "no": message("no: only when new bytes come"),
    "full": message("yes, but only once its queue is full"),
    "register": message("no: never again, unless the program registers it again"),
}


def _ask_again(material: Material, place: int) -> Draft | None:
    """Ask whether epoll tells again of a socket that was not read to its end."""
    call, say = material.span(place), material.language.say
    watched = next((found for found in material.model.sockets if found.socket_id == call.socket_id), None)
    if watched is None or "epoll" not in watched.variant or "one-shot" in watched.variant or call.result != call.asked:
        return None
    left, told = _left(material, call), _told_next(material, call, place)
    edge = "edge" in watched.variant
    if left is None or told is None or not call.bytes or (told[0] is edge):
        return None
    called, n = material.called(call), f"{left:,}"
    how = say("The program watches it with epoll, edge-triggered (EPOLLET)." if edge else
              "The program watches it with epoll, level-triggered.")
    scene = (material.proof(call), how,
             say("In its receive queue {n} bytes are left. The program calls epoll_wait; no more bytes come.", n=n))
    because = say("An edge is told once: who does not read to EAGAIN waits for bytes that have long come." if edge else
                  "Level-triggered epoll tells what is so, not what is new: it names the socket as long as bytes are left.")
    calls = (call.call_id, told[1].call_id)
    tells = frozenset({f"call:{calls[0]}", f"call:{calls[1]}", "edge", "model"})
    return Draft("no" if edge else "yes", tuple(Option(key, say(words)) for key, words in _TOLD.items()), scene,
                 say("Will that epoll_wait name this socket, on which {call} was called?", call=called),
                 material.joined(material.proof(told[1]), because), calls, told[1].started_ns, material.place(call),
                 material.code(call), call.thread_id, call.socket_id, tells, frozenset({"edge"}))


def _left(material: Material, call: Span) -> int | None:
    """Return how many bytes its client had sent well before a receive, and were not read by it."""
    own = material.client_state(call.ended_ns, call.socket_id)
    sent = [exchange.sent_ns for exchange in material.play.exchanges
            if exchange.socket_id == call.socket_id and exchange.sent_ns is not None and exchange.sent_ns <= call.ended_ns]
    if own is None or not sent or max(sent) > call.started_ns - 200_000:
        return None
    return material.queued(call.socket_id, call.ended_ns) or None


def _told_next(material: Material, call: Span, place: int) -> tuple[bool, Span] | None:
    """Return whether the thread's next epoll_wait named the socket, and that wait; None where bytes came in between, or it read on."""
    coming = [exchange.sent_ns for exchange in material.play.exchanges
              if exchange.socket_id == call.socket_id and exchange.sent_ns is not None and exchange.sent_ns > call.started_ns]
    for steps in range(1, 9):
        following = material.neighbour(place, steps)
        if following is None:
            return None
        then = material.span(following)
        if then.operation == "epoll_wait":
            named = material.reported(then, call.socket_id) is not None
            calm = not named or not coming or min(coming) > then.ended_ns
            return (named, then) if calm else None
        if then.socket_id == call.socket_id and then.operation in RECEIVES:
            return None
    return None
