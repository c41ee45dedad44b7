"""What questions are made of: a run that can be asked for its state at any moment, its model, and the program's text.

Owns how a moment is described before it is shown: who is there, who waits, what the program's lines are. Knows nothing of questions.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from functools import cached_property, lru_cache

from ...traces import Run, Trace
from ..evidence import load_model
from ..language import Language
from ..naming import RunModel
from ..player.crowd import ClientState
from ..player.state import Play
from ..player.timeline import Signature
from ..reading import Reader
from ..story import load_story
from ..telling import called_words, tell_call
from ..values import Delivery, Site, Span, Story, Window
from ..words import brief, duration, visible
from .values import CodeLine

Flow = dict[tuple[int | None, int, int | None], Counter[int | None]]
"""By line, operation and outcome of a call: from which lines the next call of its thread came, and how often."""
SENDS = frozenset({"send", "sendall", "sendto", "sendmsg"})
MOST_CLIENTS = 5
_TAB = 4


class Material:
    """A run from which questions are made.

    Args:
        trace: stays open as long as this is used.
    """

    def __init__(self, trace: Trace, run: Run, language: Language) -> None:
        self.trace, self.run, self.language = trace, run, language
        self.reader = Reader(trace, run)
        self.play = Play(self.reader, language)
        self.line = self.play.line
        self.cache: dict[str, frozenset[int]] = {}  # what kinds of questions found out once
        self.flow: Flow | None = None
        self.clients_at = lru_cache(maxsize=64)(self._clients_at)
        self._reports = lru_cache(maxsize=1024)(self._reports_of)

    def speak(self, language: Language) -> None:
        """Go on in another language."""
        self.language = language
        self.play.speak(language)

    @cached_property
    def model(self) -> RunModel:
        """The I/O model that the run follows."""
        return load_model(self.trace, self.run)

    @cached_property
    def story(self) -> Story:
        """The run as a whole."""
        return load_story(self.trace, self.run)

    @cached_property
    def ok(self) -> frozenset[int | None]:
        """The ids of the outcome of a call that did what it was to do."""
        return frozenset(self.reader.outcomes_named("ok"))

    @cached_property
    def signals(self) -> tuple[Delivery, ...]:
        """The signals that came, the first of them."""
        return self.reader.deliveries(Window(0, 2**62), 10_000)

    @cached_property
    def by_kind(self) -> list[tuple[Signature, array[int]]]:
        """The positions of all steps by their signature; counted ones (folds) are left out."""
        places = [array("I") for _ in self.line.signatures]
        ids = self.line.ids
        for position, number in enumerate(self.line.kinds):
            if ids[position] > 0:
                places[number].append(position)
        return [(signature, held) for signature, held in zip(self.line.signatures, places, strict=True) if held]

    @cached_property
    def clients(self) -> dict[int, str]:
        """The clients' names by their sockets."""
        return {exchange.socket_id: exchange.client for exchange in self.play.exchanges if exchange.socket_id is not None}

    @cached_property
    def serving(self) -> frozenset[int]:
        """The threads that accept, or call something on accepted connections."""
        served = {id_ for id_, row in self.reader.sockets.items() if row["role"] in ("listener", "accepted")}
        return frozenset(signature.thread_id for signature, _ in self.by_kind if signature.socket_id in served)

    def is_stream(self, socket_id: int | None) -> bool:
        """Whether a socket is one of a stream."""
        row = self.reader.sockets.get(socket_id or 0)
        return row is not None and (row["kind"] == "tcp" or (row["kind"] == "unix" and row["role"] in ("accepted", "connected")))

    def is_datagram(self, socket_id: int | None) -> bool:
        """Whether a socket carries UDP datagrams."""
        row = self.reader.sockets.get(socket_id or 0)
        return row is not None and row["kind"] == "udp"

    def spread(self, places: array[int], most: int) -> list[int]:
        """Return at most so many of some positions, evenly spread, the first among them."""
        step = max(1, len(places) // most)
        return list(places[::step])[:most]

    def span(self, position: int) -> Span:
        """Return the call at a position."""
        return self.play.span(position)

    def neighbour(self, position: int, steps: int) -> int | None:
        """Return the step of the same thread so many later, or before (below 0); None where there is none, or only its count is known."""
        track = self.line.threads[self.line.signature(position).thread_id].positions
        at = bisect_left(track, position) + steps
        if not 0 <= at < len(track):
            return None
        return track[at] if self.line.ids[track[at]] > 0 else None

    def later(self, position: int, socket_id: int | None) -> Iterator[int]:
        """Yield the steps on a socket that came to an end after that at a position."""
        track = self.line.sockets.get(socket_id or 0)
        if track is not None:
            yield from track.positions[bisect_right(track.positions, position):]

    def _clients_at(self, at_ns: int) -> tuple[ClientState, ...]:
        return tuple(self.play.crowd.client(name, at_ns) for name in self.play.crowd.clients)

    def queued(self, socket_id: int | None, at_ns: int) -> int | None:
        """Return how many bytes had come to a socket and were not read; None where nobody saw what came."""
        if socket_id not in self.reader.sockets:
            return None
        return self.play.queued(socket_id, self.line.at_time(at_ns))[0]

    def reported(self, wait: Span, socket_id: int | None) -> int | None:
        """Return the events with which a wait reported a socket; None where it did not."""
        return self._reports(wait.call_id).get(socket_id or 0)

    def _reports_of(self, wait_id: int) -> dict[int, int]:
        rows = self.trace.named("page_readiness", first=wait_id, last=wait_id)
        return {row[1]: row[3] for row in rows if row[3] is not None}

    def called(self, call: Span) -> str:
        """Return what was called on what, as sentences say it."""
        where = self.play.cast.where(call.socket_id) if call.socket_id else ""
        return called_words(call.operation, where, self.language)

    def stands_alone(self, call: Span) -> bool:
        """Whether a call was made by the program itself: not by another call, but maybe in a signal's handler, in the midst of a wait."""
        if call.parent_id is None:
            return True
        parent = self.reader.chosen((call.parent_id,)).get(call.parent_id)
        return parent is not None and parent.layer == "wait"

    def joined(self, *sentences: str) -> str:
        """Return sentences as one text, in Chinese without blanks between them."""
        return ("" if self.language.code == "zh" else " ").join(filter(None, sentences))

    def proof(self, call: Span) -> str:
        """Return what a call did, in a sentence with its number."""
        return self.language.say("{sentence} (call {id}).", sentence=tell_call(call, self.play.cast), id=call.call_id)

    def client_state(self, at_ns: int, socket_id: int | None) -> ClientState | None:
        """Return how the client of a socket is; None where no client was watched there."""
        name = self.clients.get(socket_id or 0)
        found = self.play.crowd.client(name, at_ns) if name is not None else None
        return found if found is not None and found.socket_id == socket_id else None

    def waits(self, client: ClientState, at_ns: int) -> bool:
        """Whether a client waits for an answer that the server has not sent yet."""
        if client.waiting_since_ns is None:
            return False
        return client.asked - client.answered != 1 or not self._is_answered(client, client.waiting_since_ns, at_ns)

    def _is_answered(self, client: ClientState, since_ns: int, at_ns: int) -> bool:
        """Whether the server has sent all that its client is going to read as its answer: the client's clock shows that a little later."""
        needed = next((exchange.answered_bytes for exchange in self.play.exchanges if exchange.socket_id == client.socket_id
                       and exchange.sent_ns == since_ns and exchange.answered_ns is not None), 0)
        track = self.line.sockets.get(client.socket_id or 0)
        if not needed or track is None:
            return False
        positions = track.positions
        for place in reversed(positions[:bisect_left(positions, self.line.at_time(at_ns).position)]):
            if self.line.ends[place] <= since_ns:
                return False
            if self.line.ids[place] > 0 and self.reader.operation(self.line.signature(place).operation_id).removeprefix("ring_") in SENDS:
                needed -= self.span(place).bytes
                if needed <= 0:
                    return True
        return False

    def present(self, at_ns: int) -> list[ClientState]:
        """Return the clients that are connected and have not left; one that was accepted is, though it may not know it yet."""
        rows = self.reader.sockets
        here = (client for client in self.clients_at(at_ns) if client.connected or client.accepted)
        return [client for client in here if client.failed is None and not (
            client.socket_id in rows and (closed_ns := rows[client.socket_id]["closed_ns"]) is not None and closed_ns <= at_ns)]

    def people(self, at_ns: int, hide: str | None = None) -> tuple[str, ...]:
        """Return a sentence for each client that is there.

        Args:
            hide: the name of one of whom something else is said.
        """
        say, present = self.language.say, [client for client in self.present(at_ns) if client.name != hide]
        # Those who wait tell most.
        shown = sorted(present, key=lambda client: (client.waiting_since_ns is None, client.accepted))[:MOST_CLIENTS]
        said = [self._client_words(client, at_ns) for client in present if client in shown]
        if len(present) > len(shown):
            said.append(say("and {n} more", n=f"{len(present) - len(shown):,}"))
        return tuple(said)

    def _client_words(self, client: ClientState, at_ns: int) -> str:
        say, name = self.language.say, brief(client.name, 24)
        if client.waiting_since_ns is not None:
            time = duration(max(0, at_ns - client.waiting_since_ns))
            if not client.accepted:
                return say("{name} is connected, asked {time} ago, and has not been accepted yet.", name=name, time=time)
            if not self.waits(client, at_ns):
                return say("{name} asked {time} ago; its answer has just been sent.", name=name, time=time)
            return say("{name} asked {time} ago, and has no answer yet.", name=name, time=time)
        if not client.accepted:
            return say("{name} is connected, and has not been accepted yet.", name=name)
        if client.asked:
            return say("{name} has had its answers, {n} of them, and is silent.", name=name, n=client.answered)
        return say("{name} is connected, and has said nothing yet.", name=name)

    def place(self, call: Span) -> str:
        """Return where a call was made: file and line; "" where that is not known."""
        return visible(call.site.short) if call.site else ""

    def source(self, site: Site | None) -> list[str]:
        """Return the text of the file that a call was made from, in the version in which it was; none where the trace has none."""
        for text in self.play.source(site.file) if site else ():
            lines = text.splitlines()
            if site is None or site.code is None or (site.line <= len(lines) and lines[site.line - 1].strip() == site.code.strip()):
                return lines
        return []

    def code(self, call: Span, around: int = 2) -> tuple[CodeLine, ...]:
        """Return the line that a call was made from, with so many around it."""
        site = call.site
        if site is None:
            return ()
        lines = self.source(site)
        if not lines:
            return (CodeLine(site.line, visible(site.code), True),) if site.code else ()
        first = max(1, min(site.line - around, len(lines) - 2 * around))
        return tuple(CodeLine(number, visible(lines[number - 1].expandtabs(_TAB)), number == site.line)
                     for number in range(first, min(len(lines), first + 2 * around) + 1))
