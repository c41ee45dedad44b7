"""The stage of the player: the program on the left, the kernel on the right, what goes between them, and what lies in the queues.

Owns the rows of calls in progress and of queues, as text. Knows a view, no textual.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rich.cells import cell_len
from rich.text import Text

from ..telling import message
from ..values import Span
from ..words import brief, duration, fit, size
from .view import QUIET, STRONG, STYLES, View, joined, title

_QUEUE_SOURCES = {"packet": message("packets"), "sender": message("sender"), "client": message("client")}


def stage_pane(view: View, width: int, height: int) -> Text:
    """Draw the program on the left, the kernel on the right, what goes between them, and what lies in the queues."""
    say = view.language.say
    half = max(8, (width - 5) // 2)
    rows = [(say("program"), "  │  ", say("kernel"), STRONG), *_threads(view, height)]
    lines = [title(say("program | kernel"), width)]
    for left, between, right, style in rows:
        lines.append(Text.assemble((fit(left, half), style), (between, QUIET), (fit(right, width - half - len(between)), style)))
    lines += [Text(fit(line, width), style) for line, style in islice(_queues(view, width), max(0, height - len(lines)))]
    return joined(lines, width, height)


def _threads(view: View, height: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of calls in progress, or of the last one where none is: program, arrow, kernel, style."""
    say, play, at_ns = view.language.say, view.reel.play, view.state.head.at_ns
    places = list(view.state.in_progress)[: max(1, (height - 3) // 2)]
    for place in places:
        call = play.span(place)
        yield called(view, call), " ──▶ ", _phase(view, call), STYLES[call.kind]
        since = say("for {time}", time=duration(at_ns - call.started_ns)) if at_ns > call.started_ns else say("begins now")
        yield f"  {since}", "  │  ", _phase_more(view, call), STYLES[call.kind]
    more = len(view.state.in_progress) - len(places)
    if more > 0:
        yield say("and {n} more", n=more), "  │  ", "", QUIET
    if not places and view.span is not None:
        call = view.span
        took = call.kind == "moved" and _sends(call.operation)
        yield called(view, call), " ──▶ " if took else " ◀── ", came(view, call), STYLES[call.kind]
        if at_ns > call.ended_ns:
            yield f"  {say('goes on for {time}', time=duration(at_ns - call.ended_ns))}", "  │  ", "", QUIET


def _sends(operation: str) -> bool:
    return operation.removeprefix("tls_").removeprefix("ring_").startswith(("send", "write"))


def called(view: View, call: Span) -> str:
    """Return what is called, on what: `recv(fd 4 anna)`."""
    where = view.reel.play.cast.short.get(call.socket_id or 0, "")
    return f"{brief(call.operation, 16)}({where})"


def _phase(view: View, call: Span) -> str:
    """Return what the kernel does in a call that has not come back."""
    say = view.language.say
    operation = call.operation.removeprefix("tls_").removeprefix("ring_")
    if call.operation.startswith("ring_") and operation != "wait":
        return say("the kernel does it by itself")
    if call.timeout_ns == 0:
        return say("looks, does not wait")
    if call.ready_ns is not None and call.ready_ns <= view.state.head.at_ns:
        return say("has it: wakes up, copies")
    if _sends(operation):
        return say("waits for room")
    if operation == "accept":
        return say("waits for a client")
    if call.layer == "wait" or operation == "wait":
        return say("waits for any of them")
    if operation in ("connect", "connect_ex", "do_handshake", "handshake", "unwrap"):
        return say("waits for the other side")
    return say("waits for data") if operation.startswith(("recv", "read")) else say("does it")


def _phase_more(view: View, call: Span) -> str:
    say, at_ns = view.language.say, view.state.head.at_ns
    if call.ready_ns is None:
        return ""
    if call.ready_ns > at_ns:
        return say("ready in {time}", time=duration(call.ready_ns - at_ns))
    return say("ready for {time}", time=duration(at_ns - call.ready_ns))


def came(view: View, call: Span) -> str:
    """Return what came of a call, in a word or two."""
    say = view.language.say
    if call.kind == "fruitless":
        return say("has nothing")
    if call.bytes:
        return size(call.bytes)
    if call.outcome == "ok" and call.result is not None:
        if call.operation.removeprefix("ring_") == "accept" and call.result in view.reel.play.cast.short:
            return view.reel.play.cast.short[call.result]
        if call.layer == "wait" and call.result > 0:
            return say("{n} ready", n=call.result)
    return brief(call.outcome or say("never returned"), 24)


def _queues(view: View, width: int) -> Iterator[tuple[str, str]]:
    """Yield a line for every queue that holds something, then for those that are watched and empty."""
    say, play, at_ns = view.language.say, view.reel.play, view.state.head.at_ns
    waiting: list[str] = []
    for id_ in play.crowd.listeners:
        count = play.crowd.backlog(id_, at_ns)
        if count:
            names = play.crowd.in_backlog(id_, at_ns, 12)
            waiting += names
            words = say("accept queue: {n} ({names})", n=count, names=brief(", ".join(names), 40))
            yield f"{words} {'●' * min(count, 20)}", "magenta"
    for name in waiting:
        unread = play.crowd.client(name, at_ns).sent_bytes
        if unread:
            yield _bar(say("{name} has sent {size}, unread", name=brief(name, 16), size=size(unread)), unread, width), "magenta"
    empty = []
    for id_, queued, by in view.state.queues():
        name = play.cast.short.get(id_, "")
        if queued:
            words = say("{name}: {size} queued (by {source})", name=name, size=size(queued), source=say(_QUEUE_SOURCES[by]))
            yield _bar(words, queued, width), "cyan"
        else:
            empty.append(name)
    for name in empty:
        yield say("{name}: queue empty", name=name), QUIET


def _bar(words: str, count: int, width: int) -> str:
    """Return words and a bar that grows with the logarithm of a count."""
    return f"{words} {'█' * max(1, min(count.bit_length(), width - cell_len(words) - 1))}"
