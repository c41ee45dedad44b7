"""The panes of the player as text: source, sockets, clients, log, counters, the sentence; the stage has a file of its own.

Owns what each shows in the room it is given; every line is exactly as wide as its pane or shorter. Knows a reel and its state,
no textual: what is drawn can be read in a test.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from ..language import wrapped
from ..listing import Entry
from ..reading import Fold
from ..telling import called_words, tell_call, tell_entry
from ..values import Span
from ..words import brief, duration, fit, moment, percent, short_count, size, visible, visible_bytes
from .crowd import ClientState
from .stage import called, called_at, came
from .state import SocketState
from .view import HERE, QUIET, STRONG, STYLES, View, each_ns, joined, title


def source_pane(view: View, width: int, height: int) -> Text:
    """Draw the program's text around the line in execution."""
    say = view.language.say
    span = view.span
    site = span.site if span else None
    if site is None:
        nowhere = say("the program has called nothing yet") if span is None else say("the line of this call is not known")
        return joined([title(say("source"), width), Text(nowhere, QUIET)], width, height)
    lines = _source(view, site.file, site.line, site.code)
    head = title(say("source"), width, brief(site.short, max(8, width - 14)))
    room = max(1, height - 1)
    first = _first_line(site.line, len(lines), room)
    number_width = len(str(first + room))
    stops = {line for stop in view.reel.breaks for file, line in stop.lines if file == site.file}
    shown = []
    for number in range(first, min(first + room, len(lines))):
        sign = ("▶" if view.running else "▷") if number + 1 == site.line else " "
        shown.append(_source_line(f"{sign}{number + 1:>{number_width}}", number + 1 in stops, lines[number], width, sign != " "))
    if not lines:
        shown = [_source_line(f"▶{site.line}", site.line in stops, site.code or "", width, True)]
        shown.append(Text(say("(the trace does not hold this file)"), QUIET))
    return joined([head, *shown], width, height)


def _source_line(number: str, stops: bool, code: str, width: int, here: bool) -> Text:
    text = Text(fit(f"{number}{'●' if stops else ' '}{visible(code.expandtabs(4))}", width), HERE if here else "")
    if stops:
        text.stylize("bold red", len(number), len(number) + 1)
    return text


def _first_line(line: int, count: int, room: int) -> int:
    """Return the first line of the source that is shown, from 0: the current one stands in the middle."""
    return max(0, min(line - 1 - room // 2, count - room)) if count else 0


def source_place(view: View, room: int, row: int) -> tuple[str, int] | None:
    """Return file and line that stand in a row of the source, the first below its title being 1; None where none does."""
    site = view.span.site if view.span else None
    if site is None or row < 1:
        return None
    count = len(_source(view, site.file, site.line, site.code))
    if not count:
        return (site.file, site.line) if row == 1 else None
    line = _first_line(site.line, count, max(1, room)) + row
    return (site.file, line) if line <= count else None


def _source(view: View, file: str, line: int, code: str | None) -> list[str]:
    """Return the text of a file: of several versions that in which the line stands as it was called."""
    for text in view.reel.play.source(file):
        lines = text.splitlines()
        if code is None or (line <= len(lines) and lines[line - 1].strip() == code.strip()):
            return lines
    return []


def sockets_pane(view: View, width: int, height: int) -> Text:
    """List the sockets: open ones first, the busy one marked; calls, of them for nothing, and bytes in and out."""
    say, span = view.language.say, view.span
    columns = 5, 6, 7, 7
    name_width = max(10, width - sum(columns) - len(columns))
    header = "".join(f" {fit_right(word, column)}" for word, column in zip(
        (say("calls"), say("no use"), say("in"), say("out")), columns, strict=True))
    lines = [title(say("sockets"), width, say("{n} open", n=len(view.state.open_ids))), Text(" " * name_width + header, QUIET)]
    room = max(0, height - len(lines))
    for socket in view.state.lately(room):
        lines.append(_socket_line(socket, span is not None and span.socket_id == socket.id, name_width, columns))
    return joined(lines, width, height)


def _socket_line(socket: SocketState, here: bool, name_width: int, columns: Sequence[int]) -> Text:
    sign = "▶" if here else " " if socket.open else "×"
    counts = (short_count(socket.calls), short_count(socket.fruitless), size(socket.received_bytes), size(socket.sent_bytes))
    cells = "".join(f" {fit_right(word, column)}" for word, column in zip(counts, columns, strict=True))
    return Text(fit(sign + socket.name, name_width) + cells, STRONG if here else "" if socket.open else QUIET)


def fit_right(text: str, width: int) -> str:
    """Return a text at the right edge of so many columns."""
    return " " * (width - cell_len(text)) + text if cell_len(text) <= width else fit(text, width)


def clients_pane(view: View, width: int, height: int) -> Text:
    """List the clients: what each asked and got, what it waits for, and what was said last."""
    say = view.language.say
    play, head = view.reel.play, view.state.head
    lines = [title(say("clients") if play.crowd.clients else say("connections"), width)]
    room = max(0, height - 1)
    if not play.crowd.clients:
        others = [socket for socket in view.state.lately(4 * room)
                  if socket.role in ("accepted", "connected", "pair", "datagram") and socket.id not in play.reader.internal]
        lines += [Text(fit(f"{socket.name}: {_said(view, socket.id)}", width)) for socket in others[-room:]] if room else []
    for client in play.crowd.first(head.at_ns, room):
        here = client.socket_id is not None and client.accepted
        words, style = _client_words(view, client)
        said = f"  {_said(view, client.socket_id)}" if here and client.socket_id else ""
        lines.append(Text.assemble((f"{brief(client.name, 16)}: ", STRONG), (words, style), said))
    return joined(lines, width, height)


def _client_words(view: View, client: ClientState) -> tuple[str, str]:
    say = view.language.say
    counts = f"{client.answered}/{client.asked}"
    if client.failed:
        return say("{counts} answered, then {result}", counts=counts, result=brief(client.failed)), "bold red"
    if client.waiting_since_ns is not None:
        time = duration(view.state.head.at_ns - client.waiting_since_ns)
        return say("{counts} answered, waits {time}", counts=counts, time=time), "magenta"
    if not client.connected:
        return say("not here yet"), QUIET
    return say("{counts} answered", counts=counts) if client.asked else say("connected, silent"), ""


def _said(view: View, socket_id: int) -> str:
    """Return what was last heard from a socket and said to it."""
    play, position = view.reel.play, view.state.head.position
    track = play.line.sockets.get(socket_id)
    parts = []
    for which, arrow in ((0, "→"), (1, "←")):
        place = track.moved.last_before(position, which) if track else None
        moved = play.payload(place) if place is not None else None
        if moved:
            parts.append(f"{arrow}{visible_bytes(moved[1], moved[0], 24)}")
    return " ".join(parts)


def log_rows(view: View, height: int) -> list[tuple[int, int]]:
    """Return the lines of the log that fit, the current one about in the middle: each the steps that it stands for."""
    reel, count = view.reel, len(view.reel.play.line)
    if not count or height <= 0:
        return []
    here = min(view.current if view.current is not None else 0, count - 1)
    rows = [reel.row(here)]
    while len(rows) < height // 2 + 1 and rows[0][0] > 0:
        rows.insert(0, reel.row(rows[0][0] - 1))
    while len(rows) < height and rows[-1][1] < count:
        rows.append(reel.row(rows[-1][1]))
    while len(rows) < height and rows[0][0] > 0:
        rows.insert(0, reel.row(rows[0][0] - 1))
    return rows


def log_pane(view: View, width: int, height: int) -> Text:
    """List the calls around the current one, spins in one line where they are folded."""
    say, play = view.language.say, view.reel.play
    state = view.state
    lines = [title(say("log"), width, say("step {n} of {all}", n=f"{state.head.position:,}", all=f"{len(play.line):,}"))]
    step_ns = max(1_000, play.line.end_ns // 1_000_000)
    for first, behind in log_rows(view, height - 1):
        here = view.current is not None and first <= view.current < behind
        entry = play.entry(first, behind)
        sign = ("▶" if view.running else "▷") if here else " "
        to_come = first >= state.head.position
        head = f"{sign}{moment(entry.first.started_ns, step_ns)} "
        told = _spun(view, entry, width - cell_len(head)) if entry.calls > 1 else _line(view, entry.first)
        # What a call that is still to come will do is not given away.
        text = head + (called(view, entry.first) if to_come else told)
        style = HERE if here else QUIET if to_come else STYLES["fails" if entry.first.failed else entry.first.kind]
        lines.append(Text(fit(text, width), style))
    return joined(lines, width, height)


def _spun(view: View, entry: Entry, width: int) -> str:
    """Return a spin: how many calls, of which kinds, and where so many columns have room for it, that they were for nothing."""
    kinds = dict.fromkeys([called(view, entry.first), *(called_at(view, operation, socket_id) for operation, socket_id, _ in entry.what)])
    told = f"{entry.calls:,} × {_several(view, list(kinds), 2)}"
    whole = f"{told} {view.language.say('for nothing')}"
    return whole if cell_len(whole) <= width else told


def _several(view: View, names: Sequence[str], most: int) -> str:
    """Return names in a row, the last ones left out."""
    say = view.language.say
    told = say(", ").join(names[:most])
    return say("{names}, …", names=told) if len(names) > most else told


def _line(view: View, call: Span) -> str:
    return f"{called(view, call)} {came(view, call)} {duration(call.duration_ns)}"


def sentence(view: View) -> str:
    """Return the current step in words."""
    say = view.language.say
    if view.current is None:
        return say("Nothing has been called yet. Right arrow: the first call. Space: let time go. ?: help.")
    call = view.reel.play.span(view.current)
    cast = view.reel.play.cast
    turns = view.turns()
    if turns:
        return _turns_told(view, turns)
    if view.running:
        since = duration(view.state.head.at_ns - call.started_ns)
        called = called_words(call.operation, cast.where(call.socket_id) if call.socket_id else "", view.language)
        if view.state.head.at_ns == call.started_ns:
            return say("{call} begins", call=called)
        return say("{call} has begun and has not come back: {time} so far", call=called, time=since)
    first, behind = view.reel.row(view.current)
    entry = view.reel.play.entry(first, behind)
    if entry.calls > 1 and view.current > first:
        done = view.reel.play.line.calls(view.current + 1) - view.reel.play.line.calls(first)
        return say("{sentence} ({n} of {all} in a row)", sentence=tell_call(call, cast), n=f"{done:,}", all=f"{entry.calls:,}")
    return tell_entry(entry, cast)


def _turns_told(view: View, folds: Sequence[Fold]) -> str:
    """Return in words what goes on where calls came back at once, each time for nothing, and were made again."""
    say, cast = view.language.say, view.reel.play.cast
    names = [called_words(fold.operation, cast.where(fold.socket_id) if fold.socket_id else "", view.language) for fold in folds]
    told = _several(view, names, 3)
    so_far_ns = view.state.head.at_ns - min(fold.first_ns for fold in folds)
    if not so_far_ns:
        return say("{calls}: again and again from here on, each time at once and for nothing", calls=told)
    return say("{calls}: again and again, each time at once and for nothing, {time} so far, a look every {each}", calls=told,
               time=duration(so_far_ns), each=duration(each_ns(folds)))


def sentence_pane(view: View, width: int, height: int) -> Text:
    """Draw that sentence over as many lines as there are."""
    return joined([Text(line) for line in wrapped(sentence(view), width)], width, height)


def counters(view: View) -> list[str]:
    """Return the counters, the most telling first."""
    say, state = view.language.say, view.state
    parts = [say("{n} calls, {fruitless} for nothing", n=f"{state.calls:,}", fruitless=f"{state.fruitless:,}"),
             say("{received} in, {sent} out", received=size(state.received_bytes), sent=size(state.sent_bytes))]
    if state.cpu_ns is not None:
        share = percent(min(1.0, state.cpu_ns / state.head.at_ns)) if state.head.at_ns else "-"
        parts.append(say("CPU {time} ({share})", time=duration(state.cpu_ns), share=share))
    return parts


def one_line(parts: Sequence[str], width: int) -> str:
    """Return as many of some parts as have room in one line, none of them cut but the first."""
    line = fit(parts[0], width).rstrip() if parts else ""
    for part in parts[1:]:
        longer = f"{line} · {part}"
        line = longer if cell_len(longer) <= width else line
    return line


def run_line(view: View, width: int, several: bool) -> Text:
    """Draw the line above a run: its name, the time, how far it is."""
    state, line = view.state, view.reel.play.line
    step_ns = max(1_000, line.end_ns // 1_000_000)
    told = f"{moment(state.head.at_ns, step_ns)} / {moment(line.end_ns, 10_000_000)}"
    active = several and view.deck.reel is view.reel
    name = ("▸ " if active else "  " if several else "") + view.reel.title
    room = max(4, width - cell_len(told) - 2)
    done = round(width * min(1.0, state.head.at_ns / max(1, line.end_ns)))
    text = Text(fit(f"{fit(name, room)}  {told}", width), STRONG)
    text.stylize("underline", 0, done)
    return text
