"""Which send each receive read: every statement that the joining of senders and receivers needs.

Owns the tables it works with, which live beside the trace and go with the connection. Knows columns; who talked to
whom, and what follows from it, is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .store import named_queries, translated_errors

if TYPE_CHECKING:
    from .writer import RunWriter

Way = Literal["send", "receive", "unclear"]
_TOGETHER = 10_000


@dataclass(frozen=True, slots=True)
class StreamSocket:
    """One row of `sockets` that is an end of a byte stream, or a copy of one."""

    id: int
    kind: str
    role: str
    local: str | None
    peer: str | None
    origin: str | None
    origin_id: int | None
    pair_id: int | None
    opened_ns: int | None


class Transfer(NamedTuple):
    """A call that moved bytes of a stream one way.

    Args:
        direction: of a connection, as `join` was told.
        size: bytes it moved; None: nobody knows how many.
        ended_ns: None: it never returned.
        ready_ns: of a receive, where it is known already.
        data: the first of its bytes, where they were kept.
    """

    direction: int
    id: int
    started_ns: int
    ended_ns: int | None
    size: int | None
    flags: int
    ready_ns: int | None
    data: bytes


class Sending:
    """The calls of one run, by connection and direction.

    Args:
        writer: of that run.
    """

    def __init__(self, writer: RunWriter) -> None:
        self._writer = writer

    def sockets(self) -> list[StreamSocket]:
        """Return the ends of streams, in the order they were met."""
        return [StreamSocket(*row) for row in self._writer.asked("stream_sockets_of_run")]

    def unix_connects(self) -> list[tuple[int, int, int]]:
        """Return connects of UNIX sockets in order: (socket id, started_ns, ended_ns)."""
        return [(row[0], row[1], row[2]) for row in self._writer.asked("unix_connects_of_run")]

    def operations(self) -> dict[str, int]:
        """Return every operation's id by its name."""
        with translated_errors(self._writer.path):
            return dict(self._writer.connection.execute("SELECT name, id FROM operations").fetchall())

    def join(self, ends: Iterable[tuple[int, int, int]], ways: Iterable[tuple[int, Way]]) -> None:
        """Say who talked to whom.

        Args:
            ends: (socket id, direction its sends go, direction its receives read).
            ways: (operation id, which way it moves bytes).
        """
        self._run("CREATE TEMP TABLE ends (socket_id INTEGER PRIMARY KEY, gives INTEGER, takes INTEGER)")
        self._run("CREATE TEMP TABLE ways (operation_id INTEGER PRIMARY KEY, way TEXT)")
        self._writer.change_many("INSERT INTO temp.ends VALUES (?, ?, ?)", ends)
        self._writer.change_many("INSERT INTO temp.ways VALUES (?, ?)", ways)

    def given(self) -> Iterator[Transfer]:
        """Return sends by direction, each in the order of their starts."""
        return map(Transfer._make, self._iterate("bytes_given"))

    def taken(self) -> Iterator[Transfer]:
        """Return receives by direction, each in the order of their returns."""
        return map(Transfer._make, self._iterate("bytes_taken"))

    def write(self, found: Iterable[tuple[int, list[int], int | None]]) -> None:
        """Write what was found: (receive's call id, ids of the sends it read, ready_ns or None), not yet committed."""
        found = iter(found)
        while some := list(islice(found, _TOGETHER)):
            self._writer.links((send, receive, "sent") for receive, sends, _ in some for send in sends)
            times = [(ready_ns, receive) for receive, _, ready_ns in some if ready_ns is not None]
            self._writer.change_many("UPDATE calls SET ready_ns = ?, ready_source = 'sender' WHERE id = ?", times)

    def forget(self) -> None:
        """Drop the tables."""
        for table in ("ends", "ways"):
            self._run(f"DROP TABLE IF EXISTS temp.{table}")

    def _iterate(self, query: str) -> Iterator[Any]:
        with translated_errors(self._writer.path):
            yield from self._writer.connection.execute(named_queries()[query], {"run": self._writer.run_id})

    def _run(self, sql: str) -> None:
        with translated_errors(self._writer.path):
            self._writer.connection.execute(sql)
