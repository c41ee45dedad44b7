"""The stage of the player: the program on the left, the kernel on the right, what goes between them, and what lies in the queues.

Owns the rows of calls in progress and of queues, as text. Knows a view, no textual.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from rich.cells import cell_len
from rich.text import Text

from ..reading import Fold
from ..telling import message
from ..values import Span
from ..words import brief, duration, fit, size
from .view import QUIET, STRONG, STYLES, View, each_ns, joined, title

Row = tuple[str, str, str, str]
"""A row of what goes on between the two: program, arrow, kernel, style."""
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


def _threads(view: View, height: int) -> Iterator[Row]:
    """Yield the rows of what is in progress, or of the last call where nothing is."""
    say, at_ns = view.language.say, view.state.head.at_ns
    groups = view.state.under_way()
    shown = groups[: max(1, (height - 3) // 2)]
    for group in shown:
        folds = view.folds(group)
        if folds:
            yield from _taking_turns(view, folds, max(1, (height - 3) // len(shown) - 1))
        else:
            yield from _in_progress(view, view.reel.play.span(group[0]))
    more = sum(map(len, groups[len(shown) :]))
    if more > 0:
        yield say("and {n} more", n=more), "  │  ", "", QUIET
    if not shown and view.span is not None:
        call = view.span
        took = call.kind == "moved" and _sends(call.operation)
        yield called(view, call), " ──▶ " if took else " ◀── ", came(view, call), STYLES[call.kind]
        if at_ns > call.ended_ns:
            yield f"  {say('goes on for {time}', time=duration(at_ns - call.ended_ns))}", "  │  ", "", QUIET


def _in_progress(view: View, call: Span) -> Iterator[Row]:
    """Yield the rows of a call that has not come back."""
    yield called(view, call), " ──▶ ", _phase(view, call), STYLES[call.kind]
    yield f"  {_since(view, call.started_ns, 'for {time}')}", "  │  ", _phase_more(view, call), STYLES[call.kind]


def _taking_turns(view: View, folds: Sequence[Fold], most: int) -> Iterator[Row]:
    """Yield the rows of calls of one thread that came back at once, each time for nothing, and were made again: none of them lasts."""
    say, style = view.language.say, STYLES["fruitless"]
    rows = folds if len(folds) <= most else folds[: most - 1]
    for fold in rows:
        yield called(view, fold), " ◀─▶ ", say("has nothing, each time"), style
    if len(rows) < len(folds):
        yield say("and {n} more", n=len(folds) - len(rows)), " ◀─▶ ", say("has nothing, each time"), style
    since = _since(view, min(fold.first_ns for fold in folds), "again and again for {time}")
    yield f"  {since}", "  │  ", say("a look every {time}", time=duration(each_ns(folds))), style


def _since(view: View, started_ns: int, message: str) -> str:
    say, at_ns = view.language.say, view.state.head.at_ns
    return say(message, time=duration(at_ns - started_ns)) if at_ns > started_ns else say("begins now")


def _sends(operation: str) -> bool:
    return operation.removeprefix("tls_").removeprefix("ring_").startswith(("send", "write"))


def called(view: View, call: Span | Fold) -> str:
    """Return what is called, on what: `recv(fd 4 anna)`."""
    return called_at(view, call.operation, call.socket_id)


def called_at(view: View, operation: str, socket_id: int | None) -> str:
    """Return the same of an operation on a socket."""
    return f"{brief(operation, 16)}({view.reel.play.cast.short.get(socket_id or 0, '')})"


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
