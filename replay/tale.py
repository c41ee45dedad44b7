"""A run as a text to read: a sentence for each call, one for each spin, and the time in which nothing was called.

Owns the order of what is told, and its layout. Reads through the trace given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rich.cells import cell_len

from ..traces import Run, Trace
from ..traces.report import command_words
from .cast import Cast, load_cast
from .language import Language, wrapped
from .listing import LINES, Entry, load_listing
from .look import Look, Page, styled
from .reading import Reader
from .spins import GAP_NS
from .telling import message, tell_entry, tell_signal
from .values import Delivery, Window
from .words import brief, duration, moment, size, visible


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of a tale: when, by which thread, at which line of the program; `calls` is 0 for what is no call."""

    at_ns: int
    words: str
    state: str = ""
    thread: str | None = None
    site: str | None = None
    first_call_id: int | None = None
    last_call_id: int | None = None
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Tale:
    """A run, told. `more`: there are more lines than were asked for."""

    title: str
    lines: tuple[Line, ...]
    closing: tuple[str, ...]
    more: bool


def load_tale(
    trace: Trace, run: Run, language: Language, window: Window | None = None, lines: int = LINES, payloads: bool = True,
) -> Tale:
    """Tell a run.

    Args:
        window: only what happened in it; None is all.
        lines: at most so many sentences.
        payloads: with the first bytes of what was said.

    Raises:
        TraceError: the trace is damaged.
    """
    reader = Reader(trace, run)
    cast = load_cast(reader, language)
    listing = load_listing(trace, run, window, lines=lines, payloads=payloads)
    told = [_of_entry(entry, cast) for entry in listing.entries]
    told += [Line(signal.started_ns, tell_signal(signal, cast), "other", cast.threads.get(signal.thread_id or 0))
             for signal in listing.signals]
    if len({entry.first.thread_id for entry in listing.entries}) == 1:
        told += _gaps(listing.entries, listing.signals, language)
        told = [replace(line, thread=None) for line in told]
    told.sort(key=lambda line: line.at_ns)
    return Tale(_title(reader, language), tuple(told[:lines]), tuple(_closing(reader, language)), listing.more or len(told) > lines)


def _of_entry(entry: Entry, cast: Cast) -> Line:
    first = entry.first
    state = "fails" if first.failed else {"fruitless": "fruitless", "blocked": "blocked", "moved": "moved"}.get(first.kind, "")
    return Line(first.started_ns, tell_entry(entry, cast), state, cast.threads.get(first.thread_id),
                brief(first.site.short) if first.site else None, first.call_id or None, entry.last.call_id or None, entry.calls)


def _gaps(entries: tuple[Entry, ...], signals: tuple[Delivery, ...], language: Language) -> Iterator[Line]:
    """Tell the time in which the only thread called nothing."""
    reached_ns: int | None = None
    for entry in entries:
        if reached_ns is not None and entry.first.started_ns - reached_ns >= GAP_NS:
            time = duration(entry.first.started_ns - reached_ns)
            words = language.say("for {time} the program calls nothing: it sleeps, or works on something else", time=time)
            yield Line(reached_ns, words, "quiet")
        reached_ns = max(reached_ns or 0, entry.last.ended_ns)


def _title(reader: Reader, language: Language) -> str:
    run = reader.run
    command = " ".join(word.rstrip("/").rpartition("/")[2] if word.startswith("/") else word for word in command_words(run))
    return language.say("{run}: {command}", run=visible(run.name), command=visible(command)) if command else visible(run.name)


def _closing(reader: Reader, language: Language) -> Iterator[str]:
    calls = sum(count.calls for count in reader.counts)
    fruitless = reader.kinds()["fruitless"][0]
    received, sent = reader.moved()
    yield language.count("In all {n} call", "In all {n} calls", calls) + language.say(
        ": {fruitless} of them for nothing, {received} received, {sent} sent.", fruitless=f"{fruitless:,}", received=size(received),
        sent=size(sent))
    if reader.run.duration_ns is None:
        yield language.say("The run has no end: it still goes on, or its recorder died.")
    else:
        yield language.say(_ENDINGS.get(reader.run.ended_by or "", _ENDED), time=duration(reader.run.duration_ns))


_ENDED = message("The run ended after {time}.")
_ENDINGS = {
    "interrupt": message("Ctrl-C ended the run after {time}."),
    "workload": message("The run was ended after {time}, when the last client was done."),
    "for": message("The run was ended after {time}, when its time was up."),
    "signal": message("A signal killed the program after {time}."),
    "terminated": message("SIGTERM ended the run after {time}."),
    "max_calls": message("The run was ended after {time}, at its number of calls."),
    "recorder_lost": message("The recorder died; what it left was put in order. The run was {time} long."),
}


def render_tale(tale: Tale, look: Look, language: Language) -> str:
    """Return a tale as lines of text, wrapped to the look's width."""
    page = Page(look)
    for row in wrapped(tale.title, look.width):
        page.line((row, styled("title")))
    page.line("")
    step_ns = max(1_000, (tale.lines[-1].at_ns if tale.lines else 0) // 1_000_000)
    stamps = [moment(line.at_ns, step_ns) for line in tale.lines]
    column = max(map(len, stamps), default=0)
    several = any(line.thread for line in tale.lines)
    if not tale.lines:
        page.line(language.say("Nothing was called here."))
    for stamp, line in zip(stamps, tale.lines, strict=True):
        who = f"{visible(line.thread)}: " if several and line.thread else ""
        place = f"  {line.site}" if line.site else ""
        rows = wrapped(f"{who}{line.words}", max(20, look.width - column - 2))
        fits = cell_len(rows[-1]) + cell_len(place) + column + 2 <= look.width
        for number, row in enumerate(rows):
            tail = (place, styled("quiet")) if fits and number == len(rows) - 1 else ("", "")
            page.line((f"{stamp if not number else '':>{column}}  ", styled("quiet")), (row, styled(line.state)), tail)
        if place and not fits:
            page.line((" " * (column + 2) + place.strip(), styled("quiet")))
    if tale.more:
        more = language.say("... and more: {n} lines are told; --lines tells more, --from and --to narrow it", n=f"{len(tale.lines):,}")
        page.line((more, styled("quiet")))
    page.line("")
    for sentence in tale.closing:
        for row in wrapped(sentence, look.width):
            page.line(row)
    return page.text()
