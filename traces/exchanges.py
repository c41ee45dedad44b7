"""What clients saw, tied to what the server did: by the client's port, and by time.

Owns the statements for that. Knows columns, not clients.
"""

from __future__ import annotations

from .writer import RunWriter


def link_exchanges(writer: RunWriter) -> None:
    """Tie each exchange of a run to the server's socket and calls, into the transaction that is open."""
    for statement in _LINK_EXCHANGES:
        writer.change(statement, {"run": writer.run_id})


_LINK_EXCHANGES = (
    # The server's side of a connection is the accepted socket whose peer ends in the client's port, open at the time.
    """
    CREATE TEMP TABLE IF NOT EXISTS callers AS
    SELECT CAST(substr(s.peer, length(rtrim(s.peer, '0123456789')) + 1) AS INTEGER) AS port, s.id, s.opened_ns, s.closed_ns
    FROM sockets s JOIN processes p ON p.id = s.process_id
    WHERE p.run_id = :run AND s.role = 'accepted' AND s.origin = 'accepted' AND s.peer LIKE '%:%'
    """,
    "CREATE INDEX IF NOT EXISTS temp.callers_port ON callers(port, opened_ns)",
    """
    UPDATE exchanges SET socket_id = (
      SELECT s.id FROM callers s
      WHERE s.port = exchanges.local_port AND (s.closed_ns IS NULL OR s.closed_ns >= ifnull(exchanges.connected_ns, 0))
      ORDER BY s.opened_ns LIMIT 1)
    WHERE run_id = :run AND local_port IS NOT NULL
    """,
    """
    CREATE TEMP TABLE IF NOT EXISTS moving AS
    SELECT c.id, c.socket_id, c.started_ns, c.started_ns + c.duration_ns AS ended_ns FROM calls c
    WHERE c.run_id = :run AND c.outcome_id = 2 AND c.result > 0 AND c.socket_id IN (SELECT socket_id FROM exchanges WHERE run_id = :run)
    """,
    "CREATE INDEX IF NOT EXISTS temp.moving_socket ON moving(socket_id, started_ns)",
    # No call that ended after a moment began earlier than this before it: without it, a client of n exchanges takes n * n steps.
    "CREATE TEMP TABLE IF NOT EXISTS lasting AS SELECT socket_id, max(ended_ns - started_ns) AS most_ns FROM moving GROUP BY socket_id",
    "CREATE INDEX IF NOT EXISTS temp.lasting_socket ON lasting(socket_id)",
    # Its calls are those that moved bytes after the client began to send, and before it had its answer
    # or, where it got none, began its next exchange.
    """
    UPDATE exchanges SET (first_call_id, last_call_id) = (
      SELECT min(m.id), max(m.id) FROM moving m
      WHERE m.socket_id = exchanges.socket_id AND m.ended_ns >= exchanges.sent_ns
        AND m.started_ns >= exchanges.sent_ns - (SELECT l.most_ns FROM lasting l WHERE l.socket_id = exchanges.socket_id)
        AND m.started_ns <= coalesce(exchanges.answered_ns, (
          SELECT min(later.sent_ns) FROM exchanges later
          WHERE later.run_id = :run AND later.client = exchanges.client AND later.n > exchanges.n), 9223372036854775807))
    WHERE run_id = :run AND sent_ns IS NOT NULL AND socket_id IS NOT NULL
    """,
    "DROP TABLE temp.lasting",
    "DROP TABLE temp.moving",
    "DROP TABLE temp.callers",
)
