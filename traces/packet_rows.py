"""Packets in a trace: every statement that writes them, and what is asked to join them to calls.

Owns the tables `packets` and `carried`. Knows rows, not headers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .store import named_queries, translated_errors
from .writer import RunWriter

# id, at_ns, source, destination, seq, ack, flags, payload_bytes, socket_id, frame
PacketRow = tuple[int, int, str, str, "int | None", "int | None", "str | None", int, "int | None", bytes]


class SocketRow(NamedTuple):
    """A TCP or UDP socket, columns as in the table."""

    id: int
    kind: str
    role: str | None
    local: str | None
    peer: str | None
    origin: str | None
    origin_id: int | None
    opened_ns: int | None
    closed_ns: int | None


class MovingCall(NamedTuple):
    """A call that moved something through a socket, or tried to; `peer`: the address it named."""

    id: int
    socket_id: int
    operation: str
    outcome: str | None
    started_ns: int
    ended_ns: int | None
    asked: int | None
    result: int | None
    flags: int
    peer: str | None


def sockets_of(writer: RunWriter) -> list[SocketRow]:
    """Return the run's TCP and UDP sockets, oldest first."""
    return [SocketRow(*row) for row in writer.asked("packet_sockets")]


def receives_of(writer: RunWriter) -> Iterator[MovingCall]:
    """Yield the calls that took data, accepted or connected, in the order in which they returned."""
    return _calls(writer, "packet_receives")


def sends_of(writer: RunWriter) -> Iterator[MovingCall]:
    """Yield the calls that gave data, in the order in which they began."""
    return _calls(writer, "packet_sends")


def _calls(writer: RunWriter, query: str) -> Iterator[MovingCall]:
    with translated_errors(writer.path):
        for row in writer.connection.execute(named_queries()[query], {"run": writer.run_id}):
            yield MovingCall(*row)


def clocks_of(writer: RunWriter) -> list[tuple[int, int]]:
    """Return (at_ns, realtime_ns) as noted while the run went on."""
    return [(at_ns, realtime_ns) for at_ns, realtime_ns in writer.asked("clocks_of_run")]


def write_packets(writer: RunWriter, rows: Sequence[PacketRow]) -> None:
    """Insert packets."""
    run = writer.run_id
    writer.change_many(f"INSERT INTO packets VALUES (?, {run:d}, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def write_carried(writer: RunWriter, rows: Iterable[tuple[int, int]]) -> None:
    """Insert (packet id, call id)."""
    writer.change_many("INSERT OR IGNORE INTO carried VALUES (?, ?)", rows)


def write_ready(writer: RunWriter, rows: Iterable[tuple[int, int]]) -> None:
    """Say of calls when what they asked for was there: (call id, time of the run). What the kernel itself said of a call stays."""
    writer.change_many(
        "UPDATE calls SET ready_ns = ?2, ready_source = 'packet' WHERE id = ?1 AND ready_source IS NOT 'kernel'",
        rows,
    )


def forget_packets(writer: RunWriter) -> int:
    """Take the run's packets out again, and what was known by them; return how many there were."""
    run = {"run": writer.run_id}
    writer.change("DELETE FROM carried WHERE packet_id IN (SELECT id FROM packets WHERE run_id = :run)", run)
    writer.change("UPDATE calls SET ready_ns = NULL, ready_source = NULL WHERE run_id = :run AND ready_source = 'packet'", run)
    return writer.change("DELETE FROM packets WHERE run_id = :run", run)


def has_packets(writer: RunWriter) -> bool:
    """Say whether the run has packets."""
    with translated_errors(writer.path):
        return writer.connection.execute("SELECT 1 FROM packets WHERE run_id = ? LIMIT 1", [writer.run_id]).fetchone() is not None
