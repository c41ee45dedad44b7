"""Stevens' figures 6.1 to 6.5 (UNIX Network Programming, 6.2) of one measured receive.

Owns which rows a figure has, when each was, how that is known, and which phases lie between them. A moment that
nobody measured stays unknown, and no phase is drawn up to it. No I/O, no drawing, no language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from .figure import MODELS, Figure, Kind, Phase, Say, Source, State, Step
from .queue import queued_at
from .receive import Polls, Receive
from .values import BLOCKED_FROM_NS, Span
from .words import duration

_SLEEPS_NS = 500_000
_EVER_NS = 2**62
_LATE_NS = 1_000_000
_SOURCES: dict[str, Source] = {"kernel": "kernel", "packet": "packet", "sender": "sender"}


def draw_up(receive: Receive) -> Figure:
    """Return the figure of a receive, in the shape of the model that it came by."""
    model, build = _shape(receive)
    rows = build(receive)
    _in_order(rows)
    steps = _with_queue(receive, rows.steps)
    return Figure(model, MODELS[model], receive, rows.origin_ns, steps, tuple(rows.phases), (*rows.notes, *_notes(receive, model)))


def _in_order(rows: _Rows) -> None:
    """Move each moment in the kernel to where its time puts it: data may come while a poll is still on its way back."""
    order = list(range(len(rows.steps)))
    for number, step in enumerate(rows.steps):
        if not step.told or step.at_ns is None:
            continue
        place = order.index(number)
        # Untimed rows stay with the one before them; a row that stands rightly is left where it is.
        later = next((at for at, other in enumerate(order[:place]) if (rows.steps[other].at_ns or -1) > step.at_ns), None)
        if later is not None:
            order.insert(later, order.pop(place))
    places = {number: place for place, number in enumerate(order)}
    steps = [rows.steps[number] for number in order]
    for place, step in enumerate(steps):
        if step.told and place:
            steps[place] = replace(step, inside=steps[place - 1].inside)
    rows.steps = steps
    rows.phases = [replace(phase, first=places[phase.first], last=places[phase.last]) for phase in rows.phases
                   if places[phase.first] <= places[phase.last]]


@dataclass(slots=True)
class _Rows:
    """A figure while it is put together."""

    origin_ns: int
    steps: list[Step]
    phases: list[Phase]
    notes: list[Say]

    def add(self, kind: Kind, at_ns: int | None, source: Source, **more: object) -> int:
        """Add a row, and return its place."""
        self.steps.append(Step(kind, at_ns, source, **more))  # type: ignore[arg-type]
        return len(self.steps) - 1

    def phase(self, side: Literal["program", "kernel"], first: int, last: int, state: State, words: Say, ns: int | None) -> None:
        """Add a brace."""
        self.phases.append(Phase(side, first, last, state, words, ns))


def _shape(receive: Receive) -> tuple[str, Callable[[Receive], _Rows]]:
    if receive.call.layer == "ring":
        return "asynchronous", _asynchronous
    if receive.signal is not None:
        return "signal-driven", _signal_driven
    if receive.wait is not None:
        return "multiplexing", _multiplexing
    if receive.call.timeout_ns == 0:
        return "nonblocking", _nonblocking
    return "blocking", _blocking


def _noun(receive: Receive) -> str:
    return "connection" if receive.accepts else "datagram" if receive.kind == "udp" else "data"


def _name(call: Span) -> Say:
    return Say("call", (call.operation, ))


def _ready(rows: _Rows, receive: Receive, before_ns: int) -> int:
    """Add who sent it, and the row in which the kernel has it; return the latter's place."""
    ready_ns = receive.call.ready_ns
    if receive.sent_ns is not None and receive.sent_ns <= before_ns and (ready_ns is None or receive.sent_ns <= ready_ns):
        rows.add("kernel", receive.sent_ns, "client", kernel=Say("sent", (receive.client or "?",)), inside=_inside(rows))
    source = _SOURCES.get(receive.ready_source or "", "none") if ready_ns is not None else "none"
    return rows.add("kernel", ready_ns, source, kernel=Say(f"{_noun(receive)} ready"), inside=_inside(rows))


def _inside(rows: _Rows) -> bool:
    return bool(rows.steps) and rows.steps[-1].inside


def _moving(rows: _Rows, receive: Receive, before_ns: int) -> tuple[int, int, int]:
    """Add the moment of the data where it lies behind `before_ns`, the call that gets it, its return, and what follows.

    Returns:
        The places of that moment (-1: it has its row already), of the call and of its return.
    """
    call, ready = receive.call, -1
    behind = call.ready_ns is None or call.ready_ns > before_ns
    inside = call.ready_ns is not None and call.ready_ns > call.started_ns
    if behind and not inside:
        ready = _ready(rows, receive, call.ended_ns)
    begun = rows.add("call", call.started_ns, "calls", program=_name(call), wire=Say("system call"), inside=True, call_id=call.call_id,
                     kernel=Say("looks") if inside else Say(f"copy {_noun(receive)}"))
    if inside:
        ready = _ready(rows, receive, call.ended_ns)
        rows.add("kernel", None, "none", kernel=Say(f"copy {_noun(receive)}"), inside=True)
    return ready, begun, _return(rows, receive)


def _in_call(rows: _Rows, call: Span, begun: int, last: int) -> None:
    """Add the program's brace of the call that got the data."""
    if not call.unfinished:
        waited = call.kind == "blocked"
        words = Say("blocked in" if waited else "in", (call.operation,))
        rows.phase("program", begun, last, "blocked" if waited else "copy", words, call.duration_ns)


def _return(rows: _Rows, receive: Receive) -> int:
    call = receive.call
    took = Say("after", (duration(call.duration_ns),))
    if call.unfinished:
        return rows.add("program", None, "none", program=Say("never returned"), caption=None, call_id=call.call_id)
    if call.outcome == "ok":
        words = Say("return connection") if receive.accepts else Say("return ok")
        took = took if receive.accepts else Say("brought", (f"{call.result or 0:,}", duration(call.duration_ns)))
        kernel = Say("connection handed over" if receive.accepts else "copy complete")
    else:
        words, kernel = Say("return", (call.outcome or "?",)), None
    done = rows.add("return", call.ended_ns, "calls", wire=words, kernel=kernel, caption=took, call_id=call.call_id)
    rows.add("program", None, "none", program=Say("process"))
    return done


def _two_phases(rows: _Rows, receive: Receive, first: int, ready: int, last: int, begun_ns: int) -> None:
    """Add the braces of waiting and copying, up to a measured moment; without one a brace that says so."""
    call = receive.call
    if call.unfinished:
        rows.phase("kernel", first, ready, "wait", Say(f"wait for {_noun(receive)}"), None)
    elif call.ready_ns is None:
        rows.phase("kernel", first, last, "unknown", Say("not measured"), None)
    else:
        if call.ready_ns > begun_ns:
            rows.phase("kernel", first, ready, "wait", Say(f"wait for {_noun(receive)}"), call.ready_ns - begun_ns)
        rows.phase("kernel", max(first, ready), last, "copy", Say("wake up and copy"), call.ended_ns - max(call.ready_ns, call.started_ns))


def _blocking(receive: Receive) -> _Rows:
    """Figure 6.1: one call, asleep until the data is copied."""
    call = receive.call
    rows = _Rows(call.started_ns, [], [], [])
    there = call.ready_ns is not None and call.ready_ns <= call.started_ns
    ready = _ready(rows, receive, call.started_ns) if there else -1
    none = None if there else Say(f"no {_noun(receive)} ready") if call.kind == "blocked" else Say("looks")
    first = rows.add("call", call.started_ns, "calls", program=_name(call), wire=Say("system call"), kernel=none, inside=True,
                     call_id=call.call_id)
    if not there:
        ready = _ready(rows, receive, call.ended_ns)
    if not call.unfinished:
        rows.add("kernel", None, "none", kernel=Say(f"copy {_noun(receive)}"), inside=True)
    last = _return(rows, receive)
    _two_phases(rows, receive, first, ready, last, call.started_ns)
    rows.phase("program", first, last, "blocked", Say("blocked in", (call.operation,)), call.duration_ns)
    return rows


def _nonblocking(receive: Receive) -> _Rows:
    """Figure 6.2: asked again and again."""
    call, polls = receive.call, receive.polls
    rows = _Rows(polls.first.started_ns if polls else call.started_ns, [], [], [])
    if polls is not None:
        _poll(rows, receive, polls.first)
        shown = 1 if polls.last.call_id == polls.first.call_id else 2
        if polls.calls > shown:
            rows.add("more", None, "none", program=Say("more calls", (f"{polls.calls - shown:,}",)),
                     wire=Say("would block"), kernel=Say(f"no {_noun(receive)} ready"), queued=0)
        if shown == 2:
            _poll(rows, receive, polls.last)
    ready, begun, last = _moving(rows, receive, -_EVER_NS)
    rows.phase("program", 0 if polls else begun, begun, "polls", Say("polls", (call.operation,)),
               call.started_ns - rows.origin_ns) if polls else None
    _after_ready(rows, receive, ready, begun, last)
    if polls is not None:
        _note_polls(rows, polls, call)
    return rows


def _poll(rows: _Rows, receive: Receive, poll: Span) -> None:
    rows.add("call", poll.started_ns, "calls", program=_name(poll), wire=Say("system call"), kernel=Say(f"no {_noun(receive)} ready"),
             queued=0, inside=True, call_id=poll.call_id)
    rows.add("return", poll.ended_ns, "calls", wire=Say("would block"), queued=0, call_id=poll.call_id)


def _note_polls(rows: _Rows, polls: Polls, call: Span) -> None:
    length_ns = max(1, call.started_ns - polls.first.started_ns)
    every_ns = length_ns // max(1, polls.calls)
    rows.notes.append(Say("polled", (f"{polls.calls:,}", duration(length_ns), duration(every_ns), duration(polls.ns))))
    if polls.others:
        rows.notes.append(Say("polled others", (f"{polls.others:,}",)))
    if every_ns >= _SLEEPS_NS:
        rows.notes.append(Say("sleeps between polls", (duration(every_ns),)))


def _after_ready(rows: _Rows, receive: Receive, ready: int, begun: int, last: int) -> None:
    """Add the kernel's braces where the data was there before the call that got it: how it waited, lay, and was copied."""
    call = receive.call
    if call.ready_ns is None:
        if begun > 0:
            rows.phase("kernel", 0, ready, "unknown", Say("not measured"), None)
    else:
        if call.ready_ns > rows.origin_ns and ready > 0:
            rows.phase("kernel", 0, ready, "wait", Say(f"wait for {_noun(receive)}"), call.ready_ns - rows.origin_ns)
        if call.started_ns > call.ready_ns and begun > ready:
            rows.phase("kernel", ready, begun, "free", Say("lies there"), call.started_ns - call.ready_ns)
    if not call.unfinished:
        waited = call.kind == "blocked"
        inside = call.ready_ns is not None and call.ready_ns > call.started_ns
        waited = waited and not inside
        rows.phase("kernel", max(begun, ready), last, "unknown" if waited else "copy", Say("wait or copy" if waited else "copy"),
                   (call.copy_ns or 0) if inside else call.duration_ns)


def _multiplexing(receive: Receive) -> _Rows:
    """Figure 6.3: asleep in one call for many sockets, then a call that finds data."""
    call, wait = receive.call, receive.wait
    assert wait is not None
    rows = _Rows(wait.started_ns, [], [], [])
    there = call.ready_ns is not None and call.ready_ns <= wait.started_ns
    ready = _ready(rows, receive, wait.started_ns) if there else -1
    first = rows.add("call", wait.started_ns, "calls", program=_name(wait), wire=Say("system call"),
                     kernel=Say(f"no {_noun(receive)} ready") if wait.kind == "blocked" and not there else None, inside=True,
                     call_id=wait.call_id)
    # Of several segments that were read at once the kernel's stamp is the last one's: it may lie behind the wait.
    known_ns = wait.ended_ns if call.ready_ns is None else call.ready_ns
    if not there and known_ns <= wait.ended_ns:
        ready = _ready(rows, receive, wait.ended_ns)
    back = rows.add("return", wait.ended_ns, "calls", wire=Say("readable"),
                    caption=Say("ready in", (f"{wait.result or 0:,}", duration(wait.duration_ns))), call_id=wait.call_id)
    if receive.served_first:
        rows.add("program", None, "none", program=Say("serves others", (f"{receive.served_first:,}",)))
    later, begun, last = _moving(rows, receive, max(known_ns, wait.ended_ns) if ready >= 0 else -_EVER_NS)
    ready = max(ready, later)
    rows.phase("program", first, back, "blocked", Say("blocked in", (wait.operation,)), wait.duration_ns)
    _in_call(rows, call, begun, last)
    _after_ready(rows, receive, ready, begun, last)
    if receive.other_waits:
        rows.notes.append(Say("other waits", (f"{receive.other_waits:,}", wait.operation)))
    return rows


def _signal_driven(receive: Receive) -> _Rows:
    """Figure 6.4: the program goes on; a signal says that something came."""
    call, signal, pause = receive.call, receive.signal, receive.pause
    assert signal is not None
    begun_ns = pause.started_ns if pause is not None else signal.started_ns
    rows = _Rows(begun_ns, [], [], [])
    armed = receive.armed
    if armed is not None:
        rows.add("call", armed.started_ns, "calls", program=Say("arms", (armed.operation, signal.signal)), wire=Say("system call"),
                 inside=True, call_id=armed.call_id)
        rows.add("return", armed.ended_ns, "calls", wire=Say("returns"), call_id=armed.call_id)
    resting = Say("pauses", (pause.operation,)) if pause is not None else Say("goes on")
    goes = rows.add("program", pause.started_ns if pause is not None else None, "calls" if pause is not None else "none", program=resting,
                    kernel=Say(f"no {_noun(receive)} ready"), call_id=pause.call_id if pause else None)
    ready = _ready(rows, receive, signal.started_ns)
    handler = rows.add("return", signal.started_ns, "signal", program=Say("handler" if signal.via != "sigwait" else "took signal"),
                       wire=Say("delivers", (signal.signal,)))
    _, begun, last = _moving(rows, receive, _EVER_NS)
    rows.phase("program", goes, handler, "free", Say("pause for all" if pause is not None else "goes on"),
               signal.started_ns - begun_ns if pause is not None else None)
    _in_call(rows, call, begun, last)
    if call.ready_ns is None:
        rows.phase("kernel", goes, ready, "unknown", Say("not measured"), None)
    else:
        if pause is not None and call.ready_ns > begun_ns:
            rows.phase("kernel", goes, ready, "wait", Say(f"wait for {_noun(receive)}"), call.ready_ns - begun_ns)
        rows.phase("kernel", ready, handler, "free", Say("signal on its way"), signal.started_ns - call.ready_ns)
    rows.phase("kernel", begun, last, "copy", Say("copy"), call.duration_ns)
    return rows


def _asynchronous(receive: Receive) -> _Rows:
    """Figure 6.5: handed in, and told when all is done, copying included."""
    call, by, taken = receive.call, receive.submitted_by, receive.completed_by
    rows = _Rows(call.started_ns, [], [], [])
    none = Say(f"no {_noun(receive)} ready" if call.duration_ns >= BLOCKED_FROM_NS else "looks")
    first = rows.add("call", call.started_ns, "calls", program=_name(call), wire=Say("submits"), kernel=none,
                     caption=Say("with", (by.operation,)) if by is not None else None, call_id=call.call_id)
    asleep = by is not None and taken is not None and by.call_id == taken.call_id and by.duration_ns >= BLOCKED_FROM_NS
    goes = rows.add("program", None, "none", program=Say("waits for any", (by.operation,)) if by is not None and asleep else Say("goes on"))
    ready = _ready(rows, receive, call.ended_ns)
    rows.add("kernel", None, "none", kernel=Say(f"copy {_noun(receive)}"))
    if call.unfinished:
        last = rows.add("program", None, "none", program=Say("never completed"), call_id=call.call_id)
    else:
        done = Say("completes connection" if receive.accepts else "completes")
        took = duration(call.duration_ns)
        brought = Say("after", (took,)) if receive.accepts else Say("brought", (f"{call.result or 0:,}", took))
        last = rows.add("return", call.ended_ns, "calls", wire=done, kernel=Say("copy complete"),
                        caption=brought, call_id=call.call_id,
                        program=Say("taken by", (taken.operation,)) if taken is not None else None)
        rows.add("program", None, "none", program=Say("process"))
    rows.phase("program", goes, last, "free", Say("not in call"), None if call.unfinished else call.duration_ns)
    _two_phases(rows, receive, first, ready, last, call.started_ns)
    if by is not None and asleep:
        rows.notes.append(Say("waits in ring", (by.operation, duration(by.duration_ns))))
    return rows


def _notes(receive: Receive, model: str) -> list[Say]:
    """Return what holds for every model: bounds of a moment that was not measured, data that lay, a timeout."""
    call, notes = receive.call, []
    if call.ready_ns is None and not call.unfinished:
        after_ns, before_ns = _bounds(receive, model)
        if after_ns is not None and before_ns > after_ns:
            key = "ready between" if receive.sent_ns == after_ns else "ready between polls"
            notes.append(Say(key, (duration(before_ns - after_ns), receive.client or "")))
        notes.append(Say("how to measure"))
    elif call.sat_ns and model == "blocking":
        notes.append(Say("lay", (duration(call.sat_ns),)))
    if model == "blocking" and call.wait_ns and (call.copy_ns or 0) >= _LATE_NS:
        notes.append(Say("woke late", (duration(call.copy_ns),)))
    if call.timeout_ns and call.layer == "socket":
        notes.append(Say("timeout", (duration(call.timeout_ns),)))
    return notes


def _bounds(receive: Receive, model: str) -> tuple[int | None, int]:
    """Return the moments between which the data came: after the last poll that found none or the client's send, before a sign of it."""
    wait, signal, polls = receive.wait, receive.signal, receive.polls
    after = [at_ns for at_ns in (receive.sent_ns, polls.last.started_ns if polls and model == "nonblocking" else None) if at_ns is not None]
    before_ns = wait.ended_ns if wait else signal.started_ns if signal and model == "signal-driven" else receive.call.ended_ns
    return max(after) if after else None, before_ns


def _with_queue(receive: Receive, steps: list[Step]) -> tuple[Step, ...]:
    """Return the rows with the bytes that lay in the buffer after each: counted, else what the calls themselves prove."""
    call = receive.call
    if receive.accepts:
        return tuple(steps)
    if receive.queue:
        known = [queued_at(receive.queue, step.at_ns) if step.at_ns is not None else None for step in steps]
        return tuple(replace(step, queued=queued) for step, queued in zip(steps, known, strict=True))
    if call.outcome != "ok" or receive.kind == "udp":
        return tuple(steps)
    # A receive that got less than it asked for has emptied the buffer.
    drained = call.asked is not None and (call.result or 0) < call.asked and not call.operation.startswith("tls")
    done = next(number for number, step in enumerate(steps) if step.kind == "return" and step.call_id == call.call_id)
    ready = [number for number, step in enumerate(steps) if step.kernel is not None and step.kernel.key.endswith(" ready")
             and not step.kernel.key.startswith("no ") and step.at_ns is not None]
    told = [replace(step, queued=0) if step.kernel is not None and step.kernel.key.startswith("no ") else step for step in steps]
    for number in ready:
        told[number] = replace(told[number], queued=call.result, at_least=True)
    if drained:
        told[done] = replace(told[done], queued=0)
    return tuple(told)
