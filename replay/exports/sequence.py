"""A run as a sequence diagram: the program, its kernel and its clients, message by message; as Mermaid and as plain text.

Owns which messages there are and how both texts put them. Spins are one message; what a client said and got comes from the
workload's exchanges. A diagram is for reading: it ends after MOST messages and says how to see the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from rich.cells import cell_len

from ...traces.excerpt import Excerpt
from ..listing import Entry, load_listing
from ..story import load_story
from ..terminal import entry_words
from ..values import Story, Window
from ..words import brief, call_words, duration, fit, moment, visible_bytes

MOST = 200
APPLICATION, KERNEL = "application", "kernel"
_COLUMN = 15  # of the text diagram, from one lifeline to the next


@dataclass(frozen=True, slots=True)
class Message:
    """One arrow.

    Args:
        at_ns: when it leaves.
        source, target: who.
        text: what it says; free of control characters.
        back: an answer: the kernel's to a call, the program's to a client.
    """

    at_ns: int
    source: str
    target: str
    text: str
    back: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """The diagram of one run: who takes part, in the order of columns, and the messages in the order of time."""

    name: str
    parties: tuple[str, ...]
    messages: tuple[Message, ...]
    more: bool


def load_sequence(excerpt: Excerpt) -> Diagram:
    """Return the diagram of a run, or of a window of it.

    Raises:
        TraceError: the trace is damaged.
    """
    story = load_story(excerpt.trace, excerpt.run, max_sockets=None)
    window = Window(excerpt.start_ns, min(excerpt.end_ns, story.end_ns + 1))
    listing = load_listing(excerpt.trace, excerpt.run, window, lines=MOST, payloads=excerpt.payload)
    last_ns = max((entry.last.ended_ns for entry in listing.entries), default=window.end_ns) if listing.more else window.end_ns
    clients = list(dict.fromkeys(brief(exchange.client, 20) for exchange in story.exchanges
                                 if exchange.sent_ns is not None and window.start_ns <= exchange.sent_ns <= last_ns))
    messages = [*_calls(listing.entries, story), *_clients(story, window, last_ns)]
    return Diagram(brief(story.facts.name, 60), (APPLICATION, KERNEL, *clients),
                     tuple(sorted(messages, key=lambda message: message.at_ns)), listing.more)


def _calls(entries: Sequence[Entry], story: Story) -> Iterator[Message]:
    for entry in entries:
        call = entry.first
        if entry.calls > 1:
            yield Message(call.started_ns, APPLICATION, KERNEL, entry_words(entry, story))
            yield Message(entry.last.ended_ns, KERNEL, APPLICATION, "nothing each time: BlockingIOError", back=True)
            continue
        asked, closing, answer = call_words(call, story.names).partition(")")
        yield Message(call.started_ns, APPLICATION, KERNEL, asked + closing)
        if not call.unfinished:
            data = f" {visible_bytes(entry.payload, entry.size or 0, 24)}" if entry.payload is not None else ""
            took = f" in {duration(call.duration_ns)}" if call.kind == "blocked" else ""
            yield Message(call.ended_ns, KERNEL, APPLICATION, f"{answer.strip() or 'done'}{data}{took}", back=True)


def _clients(story: Story, window: Window, last_ns: int) -> Iterator[Message]:
    for exchange in story.exchanges:
        if exchange.sent_ns is None or exchange.n == 0 or not window.start_ns <= exchange.sent_ns <= last_ns:
            continue
        name = brief(exchange.client, 20)
        yield Message(exchange.sent_ns, name, KERNEL, f"request {exchange.n}: {exchange.sent_bytes:,} bytes")
        if exchange.answered_ns is not None and exchange.answered_ns <= last_ns:
            took = f", {duration(exchange.latency_ns)} after the question" if exchange.latency_ns is not None else ""
            yield Message(exchange.answered_ns, KERNEL, name, f"answer {exchange.n}: {exchange.answered_bytes:,} bytes{took}", back=True)


def write_mermaid(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write a Mermaid sequence diagram.

    Args:
        excerpts: one run.
        out: an open binary file.

    Raises:
        TraceError: the trace is damaged.
    """
    diagram = load_sequence(excerpts[0])
    ids = {party: f"P{number}" for number, party in enumerate(diagram.parties)}
    lines = ["sequenceDiagram", f"    title {_mermaid(diagram.name)}"]
    lines += [f"    participant {ids[party]} as {_mermaid(party)}" for party in diagram.parties]
    for message in diagram.messages:
        arrow = "-->>" if message.back else "->>"
        lines.append(f"    {ids[message.source]}{arrow}{ids[message.target]}: {_mermaid(message.text)}")
    if diagram.more:
        lines.append(f"    Note over P0: ... and more: a diagram ends after {MOST} calls")
    out.write(("\n".join(lines) + "\n").encode("utf-8"))


def _mermaid(text: str) -> str:
    """Return a text that is nothing but text in Mermaid: its own signs and those of HTML become entities."""
    return "".join(letter if letter.isalnum() or letter in " .,:()'/+-_=×…|" else f"#{ord(letter)};" for letter in text) or "-"


def write_sequence(excerpts: Sequence[Excerpt], out: BinaryIO) -> None:
    """Write a sequence diagram in plain text, a lifeline per party, an arrow a line.

    Args, Raises: as `write_mermaid`.
    """
    diagram = load_sequence(excerpts[0])
    step_ns = 1_000
    places = {party: number * _COLUMN for number, party in enumerate(diagram.parties)}
    margin = 14
    lines = [diagram.name, "", " " * margin + "".join(fit(party, _COLUMN) for party in diagram.parties).rstrip()]
    for message in diagram.messages:
        lines.append(f"{moment(message.at_ns, step_ns):>{margin - 2}}  {_arrow(message, places)}")
    if diagram.more:
        lines.append(f"... and more: a diagram ends after {MOST} calls")
    out.write(("\n".join(lines) + "\n").encode("utf-8"))


def _arrow(message: Message, places: dict[str, int]) -> str:
    low, high = sorted((places[message.source], places[message.target]))
    row = [" "] * (max(places.values()) + 1)
    for place in places.values():
        row[place] = "│"
    for column in range(low + 1, high):
        row[column] = "╌" if message.back else "─"
    if places[message.target] == high:
        row[high - 1] = "▶"
    else:
        row[low + 1] = "◀"
    drawn = "".join(row)
    return f"{drawn}  {message.text}" if cell_len(message.text) else drawn
