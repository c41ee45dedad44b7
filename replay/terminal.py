"""`show` in the terminal: what ran, its lanes over time, and calls in words.

Owns the page of one run. Draws a story and a listing, reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from .axis import Axis, axis_lines, counts_from_start, step_of
from .blindness import spot_words
from .lanes import Paint, legend, paint_client, paint_lane, paint_queue, pause_words, pieces, share_words
from .language import say
from .listing import Entry, Listing
from .look import Look, Page, Piece, styled
from .values import Delivery, Exchange, Facts, Lane, Story, Window
from .words import (
    brief,
    call_words,
    counted,
    duration,
    ending,
    enumerated,
    fit,
    model_words,
    moment,
    percent,
    short_count,
    signal_words,
    size,
    started_words,
    visible,
    visible_bytes,
)

MOST_CLIENTS = 12


@dataclass(frozen=True)
class Row:
    """One line of a picture: a name, what the glyphs are made from, and words to the right of them."""

    name: str
    glyphs: list[Paint]
    words: str


@dataclass(frozen=True)
class Frame:
    """How a picture's columns are divided: names, glyphs, words."""

    names: int
    glyphs: int
    words: int

    @classmethod
    def for_names(cls, names: Sequence[str], words: Sequence[str], look: Look) -> Frame:
        """Return a frame that leaves the glyphs as much room as names and words allow."""
        name_columns = min(max([8, *(cell_len(name) for name in names)]), max(10, look.width * 3 // 10))
        word_columns = min(max([0, *(cell_len(word) for word in words)]), max(0, look.width // 4))
        return cls(name_columns, max(10, look.width - name_columns - word_columns - 5), word_columns)


def render_show(story: Story, listing: Listing | None, look: Look, source: str | None = None) -> str:
    """Return the page of one run.

    Args:
        story: of the window to draw.
        listing: calls to list below the lanes; None for none.
        look: of the screen.
        source: the trace's file, to be named at the top.
    """
    page = Page(look)
    header(page, story, source)
    page.line("")
    used = draw(page, [story], [story.window], look)
    page.line("")
    for entry in legend(used, look):
        page.line(*entry)
    if listing is not None:
        _list(page, story, listing, look)
    return page.text()


def header(page: Page, story: Story, source: str | None) -> None:
    """Write what ran, how it ended, how much was recorded, and what could not be."""
    facts = story.facts
    page.line((visible(facts.name), styled("title")), (f"  {visible(source)}" if source else "", styled("quiet")))
    page.wrapped(visible(" ".join(facts.command)), indent=2)
    parts = [f"Python {visible(facts.python)}" if facts.python else "", say("{name} core", name=visible(facts.core)) if facts.core else "",
             say("started {when}", when=started_words(facts.started_at)), ending(facts)]
    page.wrapped(enumerated(parts), indent=2)
    fruitless = say("{share} of them fruitless", share=percent(facts.fruitless / facts.calls)) if facts.fruitless else say(
        "none fruitless") if facts.calls else ""
    lost = say("none lost") if not facts.lost else say("{n} LOST: what follows is not all", n=f"{facts.lost:,}")
    cpu = ""
    if story.cpu:
        cpu = say("CPU {time} since the first listen" if story.cpu.from_listen else "CPU {time}", time=duration(story.cpu.ns))
    parts = [counted(facts.calls, "call"), fruitless, lost if facts.calls or facts.lost else "",
             _packet_words(story.facts), _recording_words(story), cpu]
    page.wrapped(enumerated(parts), indent=2)
    if story.model is not None and story.model.model != "unknown":
        page.wrapped(say("Model: {model}", model=model_words(story.model)), indent=2)
    for spot in facts.blind_spots:
        page.wrapped(say("Not seen: {spot}", spot=visible(spot_words(spot))), indent=2, state="fruitless")
    if (story.window.start_ns, story.window.end_ns) != (0, story.end_ns):
        step_ns = max(1, story.window.length_ns // 1_000)
        page.wrapped(say("From {start} to {end}: {time}", start=moment(story.window.start_ns, step_ns),
                         end=moment(story.window.end_ns, step_ns), time=duration(story.window.length_ns)), indent=2, state="title")


def _packet_words(facts: Facts) -> str:
    if facts.packets is None:
        return ""
    packets = counted(facts.packets, "packet")
    if facts.packets_lost is None:
        return say("{packets} (how many were lost is not known)", packets=packets)
    return say("{packets} ({n} LOST)", packets=packets, n=f"{facts.packets_lost:,}") if facts.packets_lost else packets


def _recording_words(story: Story) -> str:
    if not story.facts.call_cost_ns:
        return ""
    cost = duration(story.facts.call_cost_ns)
    if story.recording_share is None:
        return say("recording one cost about {time}", time=cost)
    return say("recording one cost about {time} ({share} of the CPU)", time=cost, share=percent(story.recording_share))


def draw(
    page: Page, stories: Sequence[Story], windows: Sequence[Window], look: Look, titles: Sequence[str] = (), shared: Window | None = None,
) -> set[str]:
    """Draw the lanes of stories above each other under one axis.

    Args:
        windows: what each story's columns cover, in its own run time; all of one length.
        titles: a line above each story's lanes, where there are several.
        shared: what the axis says; the first window unless given.

    Returns:
        The glyphs in use.
    """
    names = [name for story in stories for name in _names(story)]
    words = [word for story in stories for word in _words(story)]
    frame = Frame.for_names(names, words, look)
    axis = Axis(shared or windows[0], frame.glyphs)
    labels, ruler = axis_lines(axis, look)
    if counts_from_start(axis):
        page.line((" " * (frame.names + 3) + say("from {start}", start=moment(axis.window.start_ns, step_of(axis))), styled("quiet")))
    page.line(" " * (frame.names + 3), (labels, styled("quiet")))
    page.line(" " * (frame.names + 3), (ruler, styled("quiet")))
    used: set[str] = set()
    for number, (story, window) in enumerate(zip(stories, windows, strict=True)):
        if titles:
            page.line((titles[number], styled("title")))
        used |= _draw_story(page, story, Axis(window, frame.glyphs), frame, look)
    return used


def _draw_story(page: Page, story: Story, axis: Axis, frame: Frame, look: Look) -> set[str]:
    used: set[str] = set()

    def add(title: str, rows: Sequence[Row], more: str = "") -> None:
        if rows or more:
            page.line((title, styled("quiet")))
        for row in rows:
            used.update(glyph for glyph, _ in row.glyphs)
            page.line(f"  {fit(row.name, frame.names, look.glyphs.ellipsis)} ", *padded(row, frame, look))
        if more:
            page.line((f"  {more}", styled("quiet")))

    clients = _by_client(story.exchanges) if story.measured_by == "client" else {}
    more_threads = say("and {threads}, less busy", threads=counted(story.more_threads, "more thread")) if story.more_threads > 0 else ""
    more_sockets = say("and {sockets}, less active", sockets=counted(story.more_sockets, "more socket")) if story.more_sockets > 0 else ""
    add(say("threads"), [Row(visible(lane.name), paint_lane(lane, axis, look, story.end_ns), share_words(lane, story.window))
                    for lane in story.threads], more_threads)
    add(say("sockets"), [Row(visible(lane.name), paint_lane(lane, axis, look, story.end_ns), _socket_words(lane))
                    for lane in story.sockets], more_sockets)
    most = _most_queued(story)
    filled = [(lane, story.queues[lane.id]) for lane in story.sockets if lane.id in story.queues]
    add(say("in the kernel's buffers"), [
        Row(visible(lane.name), paint_queue(told, axis, look, most, lane.closed_ns or story.end_ns), _queue_words(story, lane))
        for lane, told in filled])
    if story.hidden_sockets:
        hidden = say("{sockets} of an event loop's own, for waking itself, not shown: --internal",
                     sockets=counted(story.hidden_sockets, "socket"))
        page.line((f"  {hidden}", styled("quiet")))
    shown = list(clients.items())[:MOST_CLIENTS]
    add(say("clients"), [Row(visible(name), paint_client(own, axis, look, story.closings, story.end_ns), pause_words(own))
                    for name, own in shown],
        say("and {clients}, not shown", clients=counted(len(clients) - len(shown), "more client")) if len(clients) > len(shown) else "")
    if not story.threads and not story.sockets:
        page.line("  " + say("no socket call" if story.facts.calls == 0 else "no socket call in this window"))
    return used


def padded(row: Row, frame: Frame, look: Look) -> list[Piece]:
    """Return a row's glyphs and words, each as wide as the frame has it."""
    return [*pieces(row.glyphs), (" " * (frame.glyphs - len(row.glyphs)) + "  ", ""),
            (fit(row.words, frame.words, look.glyphs.ellipsis), styled("quiet"))]


def _names(story: Story) -> list[str]:
    lanes = [visible(lane.name) for lane in (*story.threads, *story.sockets)]
    return lanes + ([visible(name) for name in _by_client(story.exchanges)] if story.measured_by == "client" else [])


def _words(story: Story) -> list[str]:
    words = [share_words(lane, story.window) for lane in story.threads] + [_socket_words(lane) for lane in story.sockets]
    words += [_queue_words(story, lane) for lane in story.sockets if lane.id in story.queues]
    return words + [pause_words(own) for own in _by_client(story.exchanges).values()]


def _most_queued(story: Story) -> int:
    return max((level.queued_bytes for told in story.queues.values() for level in told), default=0)


def _queue_words(story: Story, lane: Lane) -> str:
    return say("max {size}", size=size(max(level.queued_bytes for level in story.queues[lane.id])))


def _by_client(exchanges: Sequence[Exchange]) -> dict[str, list[Exchange]]:
    clients: dict[str, list[Exchange]] = {}
    for exchange in exchanges:
        clients.setdefault(exchange.client, []).append(exchange)

    def came(name: str) -> int:
        return min((exchange.connected_ns for exchange in clients[name] if exchange.connected_ns is not None), default=2**63)

    return {name: clients[name] for name in sorted(clients, key=came)}


def _socket_words(lane: Lane) -> str:
    calls = sum(lane.calls)
    return say("{short} call" if calls == 1 else "{short} calls", short=short_count(calls))


def _list(page: Page, story: Story, listing: Listing, look: Look) -> None:
    page.line("")
    if not listing.entries and not listing.signals:
        page.line(say("no such call in this window"))
        return
    threads = {lane.id: visible(lane.name) for lane in story.threads}
    several = len({entry.first.thread_id for entry in listing.entries} | {signal.thread_id for signal in listing.signals}) > 1
    step_ns = max(1_000 if story.window.length_ns >= 1_000_000 else 1, story.window.length_ns // 1_000_000)
    lines: list[Entry | Delivery] = sorted([*listing.entries, *listing.signals], key=_begun_ns)
    widest = max(cell_len(moment(_begun_ns(entry), step_ns)) for entry in lines)
    for entry in lines:
        thread_id = entry.thread_id if isinstance(entry, Delivery) else entry.first.thread_id
        who = fit(threads.get(thread_id or 0, f"thread {thread_id}"), 14, look.glyphs.ellipsis) + "  " if several else ""
        if isinstance(entry, Delivery):
            page.line((f"{moment(entry.started_ns, step_ns):>{widest}}  ", styled("quiet")), who, signal_words(entry, story.names))
            continue
        state = _entry_state(entry)
        at = f"{moment(entry.first.started_ns, step_ns):>{widest}}  "
        data = f"  {visible_bytes(entry.payload, entry.size or 0)}" if entry.payload is not None else ""
        page.line((at, styled("quiet")), who, (entry_words(entry, story), styled(state)), *_site_pieces(entry), data)
    if listing.more:
        page.line((say("... and more: {n} lines are shown; narrow it with --from and --to", n=f"{len(listing.entries):,}"),
                   styled("quiet")))


def _begun_ns(line: Entry | Delivery) -> int:
    return line.started_ns if isinstance(line, Delivery) else line.first.started_ns


def _entry_state(entry: Entry) -> str:
    if entry.first.failed:
        return "fails"
    return {"fruitless": "fruitless", "blocked": "blocked", "moved": "moved", "other": ""}[entry.first.kind]


def entry_words(entry: Entry, story: Story) -> str:
    """Return one line of a listing without its time, place and data: a call, or a spin."""
    if entry.calls > 1:
        parts = [f"{brief(operation)}{f'({brief(story.names[socket])})' if socket in story.names else ''} ×{calls:,}"
                 for operation, socket, calls in entry.what[:3]]
        if len(entry.what) > 3:
            parts.append("...")
        length_ns = entry.last.ended_ns - entry.first.started_ns
        return say("{n} fruitless calls in {time}: {what}" if entry.exact else "about {n} fruitless calls in {time}: {what}",
                   n=f"{entry.calls:,}", time=duration(length_ns), what=", ".join(parts))
    call = entry.first
    took = say("open for {time}", time=duration(call.duration_ns)) if call.unfinished else duration(call.duration_ns)
    phases = ""
    if call.wait_ns is not None and call.copy_ns is not None:
        waited = say("ready after {time}", time=duration(call.wait_ns)) if call.wait_ns else say(
            "ready {time} before", time=duration(call.sat_ns))
        phases = say(" ({waited}, {time} to wake up and copy)", waited=waited, time=duration(call.copy_ns))
    return f"{call_words(call, story.names)}  {took}{phases}"


def _site_pieces(entry: Entry) -> list[Piece]:
    site = entry.first.site
    return [(f"  {brief(site.short)}", styled("quiet"))] if site and entry.calls == 1 else []
