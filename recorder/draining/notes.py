"""Notes: what becomes of what an agent tells beside its calls.

Owns the rows of threads, sockets, addresses, readiness and links, and which notes others take. Knows the layout's
fields; not in which order tapes are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...traces.writer import RunWriter
from ..agent import layout
from ..linking import deliveries
from ..tapes.tape import Note
from .census import Census
from .known import by_module
from .moved import Moved
from .numbering import Numbering
from .origins import Life, Origins
from .process import Process
from .sources import write_site
from .spots import BlindSpots
from .unseen import Unseen

_CHANGING = frozenset(("role", "local", "peer"))  # columns of sockets


class Notes:
    """What was told in one run.

    Args:
        numbering: of the run; its writer writes the rows.
        census: is told of children.
        spots: takes what the agent says it cannot see.
        moved: is told of sockets that come and go.
        unseen: is told which sockets were met.
    """

    def __init__(self, numbering: Numbering, census: Census, spots: BlindSpots, moved: Moved, unseen: Unseen) -> None:
        self.listening: list[tuple[str, str]] = []  # (family, address)
        self.unreadable = 0  # notes that were left out
        self._numbering = numbering
        self._writer: RunWriter = numbering.writer
        self._start_ns = numbering.start_ns
        self._census = census
        self._spots = spots
        self._moved = moved
        self._unseen = unseen
        self._origins = Origins()
        self._takers: dict[int, Callable[[Process, int, list[str]], Any]] = {
            layout.NOTE_THREAD: self._thread,
            layout.NOTE_SOCKET: self._socket,
            layout.NOTE_SOCKET_IS: self._socket_is,
            layout.NOTE_PAIR: self._pair,
            layout.NOTE_CLOSED: self._closed,
            layout.NOTE_SITE: lambda process, key, fields: write_site(self._writer, process, key, *fields),
            layout.NOTE_ADDRESS: self._address,
            layout.NOTE_CHILD: self._census.child,
            layout.NOTE_READINESS: self._readiness,
            layout.NOTE_OVER_MEMORY: lambda process, key, fields: process.wrapping.begin(key, int(fields[0])),
            layout.NOTE_SIGNAL: lambda process, key, fields: deliveries.take(self._numbering, process, key, fields),
            layout.NOTE_BLIND: lambda _process, _key, fields: self._spots.add(fields[0]),
            layout.NOTE_LINK: self._link,
            layout.NOTE_EXTENSION: self._extension,
        }

    def take(self, process: Process, note: Note) -> None:
        """Take in one note, which is not of a payload; one of a kind that we do not know is passed over.

        What a program did to its own builtins, or wrote into memory that is not its own, may have spoilt a note: then
        it is left out, and counted.
        """
        taker = self._takers.get(note.kind)
        if taker is None:
            return
        try:
            taker(process, note.key, note.fields())
        except (TypeError, ValueError, LookupError, OverflowError):
            self.unreadable += 1

    def _call_id(self, process: Process, number: int) -> int:
        return self._numbering.call_id(process.segment_ids, number)

    def _thread(self, process: Process, number: int, fields: list[str]) -> None:
        native_id = process.threads[number] = int(fields[0])
        id_ = process.bases.thread + number
        self._writer.insert("threads", id=id_, process_id=process.id, native_id=native_id, name=fields[1] or None)

    def _address(self, process: Process, number: int, fields: list[str]) -> None:
        self._writer.insert("addresses", id=process.bases.address + number, text=fields[0])

    def _extension(self, process: Process, key: int, fields: list[str]) -> None:
        known = by_module(fields[0])
        if known is not None:
            self._spots.add(known.sentence)

    # How calls belong together.

    def _readiness(self, process: Process, number: int, fields: list[str]) -> None:
        id_ = self._call_id(process, number)
        rows = process.readiness.note(number, fields)
        self._writer.readiness((id_, process.bases.socket + socket, interest, events) for socket, interest, events in rows)

    def _link(self, process: Process, number: int, fields: list[str]) -> None:
        self._writer.links([(self._call_id(process, number), self._call_id(process, int(fields[0])), fields[1])])

    # Sockets.

    def _socket(self, process: Process, number: int, fields: list[str]) -> None:
        told = dict(zip(layout.SOCKET_FIELDS, fields, strict=True))
        base = process.bases.socket
        opened_ns, inode = int(told["opened_ns"]) - self._start_ns, int(told["inode"])
        known = Life(base + number, process.id, int(told["fd"]), opened_ns, told["origin"], self._origin_id(process, told))
        life = self._origins.trace_back(inode, known)
        self._writer.insert(
            "sockets",
            id=base + number,
            process_id=process.id,
            fd=int(told["fd"]),
            kind=told["kind"],
            family=told["family"],
            type=told["type"],
            role=told["role"],
            local=told["local"] or None,
            peer=told["peer"] or None,
            parent_id=base + int(told["parent"]) if int(told["parent"]) else None,
            origin=life.origin,
            origin_id=life.origin_id,
            opened_ns=opened_ns,
            internal=int(told["internal"]),
        )
        for child in self._origins.children_of(inode, life):
            self._writer.update("sockets", child.id, origin=child.origin, origin_id=child.origin_id)
        process.open_sockets.add(number)
        self._moved.opened(process.id, number, told)
        self._unseen.met(told["inode"])
        process.sockets[number] = told
        self._note_listener(process, number)

    def _origin_id(self, process: Process, told: dict[str, str]) -> int | None:
        """Return the id of the socket that one says it came from."""
        number = int(told["origin_socket"])
        if not number:
            return None
        owner = self._census.owner_of(told["origin_tape"]) if told["origin_tape"] else process
        return owner.bases.socket + number if owner else None

    def _socket_is(self, process: Process, number: int, fields: list[str]) -> None:
        changes = dict(zip(fields[::2], fields[1::2], strict=True))
        if not changes.keys() <= _CHANGING:
            raise ValueError(f"a socket has no {min(changes.keys() - _CHANGING)}")  # names become SQL
        process.sockets.setdefault(number, {}).update(changes)
        self._writer.update("sockets", process.bases.socket + number, **changes)
        self._note_listener(process, number)

    def _pair(self, process: Process, number: int, fields: list[str]) -> None:
        one, other = process.bases.socket + number, process.bases.socket + int(fields[0])
        self._writer.update("sockets", one, pair_id=other)
        self._writer.update("sockets", other, pair_id=one)

    def _closed(self, process: Process, number: int, fields: list[str]) -> None:
        process.open_sockets.discard(number)
        self._moved.closed(process.id, number, process.sockets.pop(number, {}), fields[2:])
        closed_ns = int(fields[0]) - self._start_ns
        self._writer.update("sockets", process.bases.socket + number, closed_ns=closed_ns, closed_by=fields[1])

    def _note_listener(self, process: Process, number: int) -> None:
        told = process.sockets.get(number, {})
        if told.get("role") == "listener" and told.get("local"):
            found = (told.get("family", ""), told["local"])
            if found not in self.listening:
                self.listening.append(found)
