"""A run -> what the page needs to play it besides its calls: the sentence of every step, names, clients, how things stood at first.

Owns the names of its keys, which the scripts of the page read (playline.js, playstate.js, told.js). The steps, their order
and their sentences are those of the player in the terminal, in every language; draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, replace
from typing import Any

from ..cast import Cast, load_cast
from ..language import LANGUAGES, Language, language
from ..player.state import Play, QueueLevels
from ..player.timeline import EVER, Playhead
from ..reading import Reader, damaged
from ..telling import message, tell_call, tell_entry
from ..values import Span, Window
from .document import Shown
from .packing import Column, pack
from .stretches import Before

STEPS_TOLD = 20_000
"""So many steps of a run are told in a sentence each, a spin being one; of those behind them the page says less."""
WHERE = "\0"
"""Stands for a socket's name in sentences that many sockets share: no name holds it."""
SAID = (
    message("Nothing has been called yet."), message("{call} begins"), message("{call} has begun and has not come back: {time} so far"),
    message("{calls}: again and again, each time at once and for nothing, {time} so far, a look every {each}"),
    message(", "), message("{names}, …"),
    message("{one}; {more}"),
    message("{calls}: again and again from here on, each time at once and for nothing"), message("has nothing, each time"),
    message("again and again for {time}"), message("a look every {time}"),
    message("{sentence} ({n} of {all} in a row)"), message("{operation} on {where}"), message("{operation} (by the ring)"),
    message("looks, does not wait"), message("has it: wakes up, copies"), message("waits for room"), message("waits for a client"),
    message("waits for the other side"), message("does it"),
    message("waits for any of them"), message("waits for data"), message("ready in {time}"), message("ready for {time}"),
    message("has nothing"), message("never returned"), message("for nothing"), message("begins now"), message("for {time}"),
    message("goes on for {time}"), message("{counts} answered, then {result}"), message("{counts} answered, waits {time}"),
    message("not here yet"), message("{counts} answered"), message("connected, silent"), message("the line of this call is not known"),
    message("the program has called nothing yet"), message("(the trace does not hold this file)"), message("stopped at {what}"),
    message("no breakpoint is set: b sets one"), message("no further step is one to stop at"), message("and {n} more"),
    message("(by {source})"), message("packets"), message("its sender"), message("the client"), message("the kernel does it by itself"),
)
"""Messages that the page fills in by itself, as it goes."""
COUNTED = (("{n} more like it follows in {time}, for nothing", "{n} more like it follow in {time}, all of them for nothing"),)
"""Messages about a number of things, as `Language.count` has them."""


def pack_film(shown: Shown, *, payload: bool, before: Before | None = None) -> bytes:
    """Return a pack of what it takes to play a run, or the window of it that is shown.

    Args:
        shown: the run.
        payload: whether the bytes that calls moved may leave the trace.
        before: of a stretch of a long run, what had been before it, so that only the stretch is read.

    Raises:
        TraceError: the trace is damaged.
    """
    try:
        told, levels = film(shown, payload=payload, before=before)
        return pack(told, [
            Column("queue_at", [at_ns for own, _, _ in levels for at_ns in own], True),
            Column("queue_bytes", [count for _, own, _ in levels for count in own])])
    except (TypeError, ValueError, OverflowError, KeyError, IndexError) as error:
        raise damaged(shown.trace, error) from error


def film(shown: Shown, *, payload: bool, most: int = STEPS_TOLD, before: Before | None = None) -> tuple[dict[str, Any], list[QueueLevels]]:
    """Return the same as JSON can say it, and what lay in queues as it is known best; times are nanoseconds since the run's start.

    Args:
        shown, payload, before: as `pack_film`.
        most: steps to tell.
    """
    reader = Reader(shown.trace, shown.run)
    play = _Told(reader, payload, EVER if before is None else shown.window)
    casts = [load_cast(reader, language(code)) for code in LANGUAGES]
    start = play.line.at_time(shown.window.start_ns) if shown.window.start_ns else Playhead(0, 0)
    told = _told(play, casts, start.position, shown.window, most)
    queues = play.queue_levels()
    return {
        "queues": [[id_, len(levels[0]), levels[2]] for id_, levels in queues.items()],
        "from": start.at_ns, "to": shown.window.end_ns, "end": play.line.end_ns, "languages": list(LANGUAGES),
        "said": {code: _said(language(code)) for code in LANGUAGES},
        "names": [[id_, *(name for cast in casts for name in (cast.sockets[id_], cast.short[id_]))] for id_ in reader.sockets],
        "told": told, "alone": _alone(play, casts), "base": _base(play, start) if before is None else before.told(),
        "total": len(play.line) if before is None else before.of, "run": [0, play.line.end_ns] if before else None,
        "sockets": [[id_, row["role"] or row["kind"] or "other", row["opened_ns"] or 0, row["closed_ns"], row["parent_id"]]
                    for id_, row in reader.sockets.items()],
        "exchanges": [list(astuple(exchange))[:9] for exchange in play.exchanges],
        "cpu": [[list(point) for point in points] for points, _, _ in reader.cpu_points()],
        "wrapped": [[row["socket_id"], row["first_call_id"]] for row in shown.trace.named("wrapped_sockets_of_run", run=shown.run.id)],
    }, list(queues.values())


class _Told(Play):
    """A run whose steps are about to be told, one after the other: calls are read many at a time."""

    def __init__(self, reader: Reader, payloads: bool, window: Window) -> None:
        super().__init__(reader, language(LANGUAGES[0]), payloads, window)
        self._read: dict[int, Span] = {}

    def read(self, positions: list[int]) -> None:
        """Read steps that are to be told."""
        ids = self.line.ids
        spans = self.reader.chosen([ids[position] for position in positions if ids[position] >= 0])
        self._read = {position: spans[ids[position]] for position in positions if ids[position] >= 0}

    def _span(self, position: int) -> Span:
        found = self._read.get(position)
        return super()._span(position) if found is None else found


def _told(play: _Told, casts: list[Cast], start: int, window: Window, most: int) -> list[list[str]]:
    """Return, per language, the sentence of each row of the log."""
    rows = list(_rows(play, start, window.end_ns, most))
    play.read([place for first, behind in rows for place in (first, behind - 1)])
    return [[tell_entry(play.entry(first, behind), cast) for first, behind in rows] for cast in casts]


def _rows(play: Play, start: int, end_ns: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield the rows of the log with all spins folded: first step, and behind the last."""
    line, position = play.line, start
    stop = len(line) if not len(line) or line.ends[-1] <= end_ns else line.at_time(end_ns).position
    while position < stop and most > 0:
        behind = min(stop, line.stretch(position)[1])
        yield position, behind
        position, most = behind, most - 1


def _alone(play: Play, casts: list[Cast]) -> list[list[Any]]:
    """Return the sentences of fruitless calls as they stand alone: operation, outcome, whether on a socket, then one per language."""
    found: dict[tuple[str, str | None, bool], list[str]] = {}
    looked_at = set()
    for number, signature in enumerate(play.line.signatures):
        alike = signature.operation_id, signature.outcome_id, signature.socket_id is None
        if not signature.fruitless or alike in looked_at:
            continue
        looked_at.add(alike)
        span = play.span(play.line.kinds.index(number))
        key = span.operation, span.outcome, signature.socket_id is not None
        found[key] = [tell_call(span, replace(cast, sockets={signature.socket_id or 0: WHERE})) for cast in casts]
    return [[*key, *sentences] for key, sentences in found.items()]


def _base(play: Play, start: Playhead) -> dict[str, Any]:
    """Return how things stood before the first step that is shown."""
    state = play.state(start)
    sockets = {one.id: (one.calls, one.fruitless, one.received_bytes, one.sent_bytes) for one in state.sockets if one.calls}
    whole = state.calls, state.fruitless, state.received_bytes, state.sent_bytes
    return Before(start.position, len(play.line), whole, sockets).told()


def _said(spoken: Language) -> dict[str, str]:
    """Return every message that the page fills in, in a language, by its English."""
    counted = {text: form for pair in COUNTED for text, form in zip(pair, spoken.forms(*pair), strict=True)}
    return {text: spoken.say(text, **_places(text)) for text in SAID} | counted


def _places(text: str) -> dict[str, str]:
    """Return what leaves the places of a message as they are."""
    names = ("call", "calls", "names", "one", "more", "time", "each", "sentence", "n", "all", "operation", "where", "counts", "result",
             "what", "source")
    return {name: f"{{{name}}}" for name in names}
