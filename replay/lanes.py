"""Lanes of a story as rows of characters over a time axis.

Owns which character stands for what happened in a column, and the legend. Draws the values of a story, reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len

from .axis import Axis
from .density import overlaps, shares
from .language import message, say
from .look import Look, Piece, styled
from .values import FAILED, KIND_INDEX, Exchange, Kind, Lane, Level, Window
from .words import duration

POLLING_STEPS = (0.05, 1 / 3, 2 / 3)
"""Shares of time from which fruitless polling is drawn darker."""

Paint = tuple[str, str]  # glyph, state


def paint_lane(lane: Lane, axis: Axis, look: Look, end_ns: int) -> list[Paint]:
    """Return one glyph per column for a lane.

    What took most of a column's time decides; on sockets, moved data, opening, closing and failures
    are events and are drawn however short they were.

    Args:
        end_ns: where the run ends: nothing is drawn behind it.
    """
    glyphs = look.glyphs
    begun, bytes_in = [0] * axis.columns, [0] * axis.columns
    for cell in lane.cells:
        for column, _ in overlaps(cell.start_ns, cell.end_ns, axis.window, axis.columns):
            begun[column] += sum(cell.calls)
        at = axis.column(cell.start_ns + (cell.end_ns - cell.start_ns) // 2)
        if at is not None:
            bytes_in[at] += cell.bytes
    row: list[Paint] = []
    for column, share in enumerate(shares(lane.cells, axis.window, axis.columns)):
        low, high = axis.edges(column)
        is_socket = lane.kind == "socket"
        there = is_socket and low < end_ns and (lane.opened_ns or 0) < high and (lane.closed_ns is None or lane.closed_ns >= low)
        # A cell may lie across the column in which its socket was closed: what it holds happened before.
        row.append(_state(share, begun[column], bytes_in[column] > 0, there, is_socket, look) if there or not is_socket else (" ", ""))
    for at_ns, state in _events(lane):
        column_of = axis.column(at_ns)
        if column_of is not None:
            row[column_of] = _over(row[column_of], state, look)
    for span in lane.spans:
        last = axis.column(min(span.ended_ns, axis.window.end_ns))
        if span.unfinished and last is not None:
            row[last] = (glyphs.unfinished, "unfinished")
    return row


def _state(share: Sequence[float], begun: int, moved: bool, there: bool, is_socket: bool, look: Look) -> Paint:
    glyphs = look.glyphs
    blocked, fruitless, moving, other, _ = share
    if is_socket and moved:
        return glyphs.moved, "moved"
    if max(blocked, fruitless) >= 0.02 and blocked >= fruitless:
        return (glyphs.blocked if blocked >= 0.5 else glyphs.partly_blocked), "blocked"
    if fruitless > 0 and fruitless >= moving + other:
        return glyphs.polling[sum(fruitless >= step for step in POLLING_STEPS)], "fruitless"
    if moved or moving > 0:
        return glyphs.moved, "moved"
    if blocked > 0:
        return glyphs.partly_blocked, "blocked"
    if other > 0 or begun:
        return glyphs.other, "other"
    return (glyphs.idle, "idle") if there else (" ", "")


_RANK = ("ends", "opens", "closes", "opens_and_closes", "fails")


def _events(lane: Lane) -> Iterable[tuple[int, str]]:
    """Yield what is drawn over the time in calls, the least important first."""
    for mark in lane.marks:
        if mark.outcome == "eof" and lane.kind == "socket":
            yield mark.at_ns, "ends"
    if lane.kind == "socket" and lane.opened_ns is not None:
        yield lane.opened_ns, "opens"
    if lane.closed_ns is not None:
        yield lane.closed_ns, "closes"
    for mark in lane.marks:
        if mark.outcome in FAILED and mark.outcome != "interrupted":  # ended by a signal, as Ctrl-C ends a server
            yield mark.at_ns, "fails"


def _over(below: Paint, state: str, look: Look) -> Paint:
    if {below[1], state} in ({"opens", "closes"}, {"opens_and_closes", "opens"}, {"opens_and_closes", "closes"}):
        state = "opens_and_closes"
    elif below[1] in _RANK and _RANK.index(below[1]) > _RANK.index(state):
        return below
    glyph: str = getattr(look.glyphs, state)
    return glyph, state


def paint_client(exchanges: Sequence[Exchange], axis: Axis, look: Look, closings: Mapping[int, int], end_ns: int) -> list[Paint]:
    """Return one glyph per column for what a client saw: connected, waiting for its answer, answered or not.

    Args:
        closings: when the server closed a socket: the end of a wait that had no answer.
        end_ns: where the run ends.
    """
    glyphs = look.glyphs
    row: list[Paint] = [(" ", "")] * axis.columns

    def fill(start_ns: int, stop_ns: int, paint: Paint) -> None:
        for column, _ in overlaps(start_ns, max(stop_ns, start_ns + 1), axis.window, axis.columns):
            row[column] = paint

    def put(at_ns: int, state: str) -> None:
        column = axis.column(at_ns)
        if column is not None and row[column][1] != "unanswered":
            glyph: str = getattr(glyphs, state)
            row[column] = glyph, state

    connected = min((exchange.connected_ns for exchange in exchanges if exchange.connected_ns is not None), default=None)
    ends = [_answer_end(exchange, closings, end_ns) for exchange in exchanges]
    if connected is not None:
        fill(connected, max(ends), (glyphs.idle, "idle"))
    for exchange, stop_ns in zip(exchanges, ends, strict=True):
        if exchange.sent_ns is not None:
            fill(exchange.sent_ns, stop_ns, (glyphs.waits, "waits"))
    if connected is not None:
        put(connected, "opens")
    for exchange, stop_ns in zip(exchanges, ends, strict=True):
        if exchange.result == "ok" and exchange.n > 0:
            put(stop_ns, "answered")
        elif exchange.result not in ("ok", "none") or exchange.sent_ns is not None:
            put(stop_ns, "unanswered")
    return row


def _answer_end(exchange: Exchange, closings: Mapping[int, int], end_ns: int) -> int:
    if exchange.answered_ns is not None:
        return exchange.answered_ns
    began_ns = exchange.sent_ns if exchange.sent_ns is not None else exchange.connected_ns or 0
    if exchange.result == "refused":
        return began_ns
    return max(began_ns, closings.get(exchange.socket_id or 0, end_ns))


def queue_tops(told: Sequence[Level], axis: Axis, end_ns: int) -> list[int]:
    """Return the most bytes that lay in a socket's receive buffer during each column, -1 where nothing is known.

    Args:
        end_ns: where the socket or the run ends.
    """
    tops = [-1] * axis.columns
    for level, following in zip(told, [*(level.at_ns for level in told[1:]), max(end_ns, told[-1].at_ns)], strict=True):
        for column, _ in overlaps(level.at_ns, max(following, level.at_ns + 1), axis.window, axis.columns):
            tops[column] = max(tops[column], level.queued_bytes)
    return tops


def paint_queue(told: Sequence[Level], axis: Axis, look: Look, most: int, end_ns: int) -> list[Paint]:
    """Return one glyph per column for the bytes in a socket's receive buffer: the most that lay there during it.

    Args:
        most: bytes that fill a column to its top.
        end_ns: where the socket or the run ends: nothing is drawn behind it.
    """
    tops = queue_tops(told, axis, end_ns)
    steps = len(look.glyphs.filled)
    return [(" ", "") if top < 0 else (look.glyphs.idle, "idle") if top == 0 else
            (look.glyphs.filled[min(steps - 1, (top * steps - 1) // max(1, most))], "filled") for top in tops]


def pieces(row: Sequence[Paint]) -> list[Piece]:
    """Return a row of glyphs as styled pieces, neighbours of one state joined."""
    joined: list[Piece] = []
    for glyph, state in row:
        style = styled(state)
        if joined and joined[-1][1] == style:
            joined[-1] = (joined[-1][0] + glyph, style)
        else:
            joined.append((glyph, style))
    return joined


LEGEND: tuple[tuple[tuple[str, ...], str], ...] = (
    (("blocked", "partly_blocked"), message("blocked in a call (most, or part, of the time)")),
    (("polling",), message("fruitless calls, by share of time")),
    (("moved",), message("data moved")),
    (("other",), message("other calls")),
    (("idle",), message("open, in no call")),
    (("opens",), message("opens")),
    (("closes",), message("closes")),
    (("opens_and_closes",), message("opens and closes")),
    (("ends",), message("end of stream read")),
    (("fails",), message("call failed")),
    (("unfinished",), message("never returned")),
    (("filled",), message("most bytes in the kernel's buffer")),
    (("waits",), message("client waits")),
    (("answered",), message("answered")),
    (("unanswered",), message("no or wrong answer")),
)


def legend(used: set[str], look: Look) -> list[list[Piece]]:
    """Return the meaning of the glyphs in use, over as many lines as the width needs.

    Args:
        used: glyphs on the page.
    """
    entries: list[list[Piece]] = []
    for names, meaning in LEGEND:
        signs = [sign for name in names for sign in getattr(look.glyphs, name)]
        if used.intersection(signs):
            state = {"partly_blocked": "blocked", "polling": "fruitless"}.get(names[0], names[0])
            entries.append([("".join(signs), styled(state)), (f" {say(meaning)}", "")])
    lines: list[list[Piece]] = []
    length = 0
    for entry in entries:
        wide = sum(cell_len(text) for text, _ in entry)
        if not lines or length + 3 + wide > look.width:
            lines.append(entry)
            length = wide
        else:
            lines[-1] += [("   ", ""), *entry]
            length += 3 + wide
    return lines


def share_words(lane: Lane, window: Window) -> str:
    """Return what took most of a lane's time: `98 % fruitless`."""
    ns = lane.ns
    kinds: tuple[Kind, ...] = ("blocked", "fruitless")
    best = max(kinds, key=lambda kind: ns[KIND_INDEX[kind]])
    share = min(1.0, ns[KIND_INDEX[best]] / window.length_ns)
    return say("{share} blocked" if best == "blocked" else "{share} fruitless", share=f"{100 * share:.0f}%") if share >= 0.005 else ""


def pause_words(exchanges: Sequence[Exchange]) -> str:
    """Return how long a client waited at worst: `max 1.40 s`."""
    worst = max((exchange.latency_ns for exchange in exchanges if exchange.latency_ns is not None), default=None)
    return "" if worst is None else say("max {time}", time=duration(worst))
