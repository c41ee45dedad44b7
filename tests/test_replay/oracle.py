"""What SQL says of a run at a moment: an oracle for the player, written without a look at how the player reckons.

Owns the statements. Every one of them reads the rows of the trace anew, up to the moment asked for.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A call counts once it has come to an end; a stretch that was folded counts where it ends; what never returned counts at the end.
_ENDED = """
WITH ended AS (
  SELECT c.*, o.name AS operation, o.layer, u.name AS outcome FROM calls c JOIN operations o ON o.id = c.operation_id
  LEFT JOIN outcomes u ON u.id = c.outcome_id
  WHERE c.run_id = :run AND CASE WHEN c.duration_ns IS NULL THEN :end <= :at ELSE c.started_ns + c.duration_ns <= :at END
), folded AS (
  SELECT p.* FROM folds f JOIN fold_parts p ON p.fold_id = f.id JOIN threads t ON t.id = f.thread_id
  JOIN processes r ON r.id = t.process_id WHERE r.run_id = :run AND f.last_ns <= :at
), tls AS (
  SELECT DISTINCT socket_id FROM calls WHERE id IN (SELECT to_call_id FROM links WHERE kind = 'wrapped')
), moved AS (
  SELECT *, result AS bytes FROM ended WHERE outcome = 'ok' AND result > 0
    AND (layer = 'tls' OR socket_id NOT IN tls OR id < (SELECT min(l.to_call_id) FROM links l JOIN calls w ON w.id = l.to_call_id
                                                        WHERE l.kind = 'wrapped' AND w.socket_id = ended.socket_id))
)
"""
_NAME = "replace(replace({operation}, 'tls_', ''), 'ring_', '')"
_READING = ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "read", "readv")
_WRITING = ("send", "sendall", "sendto", "sendmsg", "sendfile", "write", "writev", "sendmsg_afalg")
_READS = f"{_NAME.format(operation='operation')} IN {_READING} AND ifnull(flags, 0) & 2 = 0"
_WRITES = f"{_NAME.format(operation='operation')} IN {_WRITING} AND parent_id IS NULL"


@dataclass(frozen=True)
class Stood:
    """How a socket stood: calls, bytes in the clear in and out."""

    calls: int
    received: int
    sent: int


class Oracle:
    """Asks a trace about one run."""

    def __init__(self, path: Path, run: int) -> None:
        self.path, self.run = path, run
        ((self.end_ns,),) = self._rows("SELECT duration_ns FROM runs WHERE id = :run")

    def _rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, {"run": self.run, "end": getattr(self, "end_ns", None), **values}).fetchall()

    def whole(self, at_ns: int) -> Stood:
        """Return how many calls had come to an end, and what they had moved."""
        sql = (f"{_ENDED} SELECT (SELECT count(*) FROM ended) + (SELECT ifnull(sum(calls), 0) FROM folded), "
               f"(SELECT ifnull(sum(bytes), 0) FROM moved WHERE {_READS}), (SELECT ifnull(sum(bytes), 0) FROM moved WHERE {_WRITES})")
        return Stood(*self._rows(sql, at=at_ns)[0])

    def fruitless(self, at_ns: int) -> int:
        """Return how many of them were for nothing: EAGAIN, a wait that might not wait and found nobody ready, TLS that wants more."""
        sql = (f"{_ENDED} SELECT (SELECT count(*) FROM ended WHERE outcome = 'would_block' OR (layer = 'wait' AND timeout_ns = 0 "
               "AND ifnull(result, 0) = 0 AND outcome IS NOT NULL) OR (outcome IN ('want_read', 'want_write') "
               "AND operation IN ('tls_recv', 'tls_send'))) + (SELECT ifnull(sum(calls), 0) FROM folded)")
        return int(self._rows(sql, at=at_ns)[0][0])

    def opened(self, at_ns: int) -> dict[int, Stood]:
        """Return the sockets that were open, and how each stood."""
        sql = (f"{_ENDED} SELECT s.id, (SELECT count(*) FROM ended e WHERE e.socket_id = s.id) + "
               "(SELECT ifnull(sum(f.calls), 0) FROM folded f WHERE f.socket_id = s.id), "
               f"(SELECT ifnull(sum(bytes), 0) FROM moved WHERE socket_id = s.id AND {_READS}), "
               f"(SELECT ifnull(sum(bytes), 0) FROM moved WHERE socket_id = s.id AND {_WRITES}) "
               "FROM sockets s JOIN processes p ON p.id = s.process_id WHERE p.run_id = :run AND ifnull(s.opened_ns, 0) <= :at "
               "AND (s.closed_ns IS NULL OR s.closed_ns > :at)")
        return {row[0]: Stood(*row[1:]) for row in self._rows(sql, at=at_ns)}

    def in_progress(self, at_ns: int) -> set[int]:
        """Return the calls that had begun and not returned."""
        return {id_ for (id_,) in self._rows(
            "SELECT id FROM calls WHERE run_id = :run AND started_ns <= :at AND (duration_ns IS NULL OR started_ns + duration_ns > :at)",
            at=at_ns)}

    def queued_by_packets(self, socket: int, at_ns: int) -> int | None:
        """Return how many bytes of a TCP connection had come by packets and were in no read of it or of its copies; None: no packets."""
        came = self._rows(
            "SELECT CASE WHEN max(p.seq) IS NULL THEN sum(p.payload_bytes) ELSE max(p.seq + p.payload_bytes) - min(p.seq) END "
            "FROM packets p JOIN sockets s ON s.id = :socket "
            "WHERE p.run_id = :run AND p.payload_bytes > 0 AND p.source = s.peer AND p.destination = s.local AND p.at_ns <= :at",
            socket=socket, at=at_ns)[0][0]
        seen = self._rows("SELECT count(*) FROM packets p JOIN sockets s ON s.id = :socket WHERE p.run_id = :run AND p.payload_bytes > 0 "
                          "AND p.source = s.peer AND p.destination = s.local", socket=socket)[0][0]
        read = self._rows(
            "WITH RECURSIVE up(id) AS (SELECT :socket UNION SELECT s.origin_id FROM sockets s JOIN up ON up.id = s.id "
            "WHERE s.origin_id IS NOT NULL), same(id) AS (SELECT id FROM up UNION SELECT s.id FROM sockets s "
            "JOIN same ON s.origin_id = same.id) SELECT ifnull(sum(c.result), 0) FROM calls c JOIN operations o ON o.id = c.operation_id "
            "JOIN outcomes u ON u.id = c.outcome_id WHERE c.socket_id IN same AND u.name = 'ok' AND o.layer <> 'tls' AND c.result > 0 "
            f"AND c.started_ns + c.duration_ns <= :at AND {_NAME.format(operation='o.name')} IN {_READING} AND ifnull(c.flags, 0) & 2 = 0",
            socket=socket, at=at_ns)[0][0]
        return max(0, int(came or 0) - int(read)) if seen else None

    def moments(self, most: int) -> list[int]:
        """Return moments worth a look: begin, end and middle of calls, spread over the run, and the moments of packets."""
        rows = self._rows(
            "SELECT started_ns FROM calls WHERE run_id = :run UNION SELECT started_ns + duration_ns FROM calls WHERE run_id = :run "
            "AND duration_ns IS NOT NULL UNION SELECT started_ns + duration_ns / 2 FROM calls WHERE run_id = :run "
            "AND duration_ns IS NOT NULL UNION SELECT at_ns FROM packets WHERE run_id = :run AND payload_bytes > 0 ORDER BY 1")
        moments = [at_ns for (at_ns,) in rows if at_ns >= 0]
        return sorted({0, self.end_ns, *moments[:: max(1, len(moments) // most)]})
