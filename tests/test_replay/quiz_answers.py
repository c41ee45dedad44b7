"""The right answer to each kind of question, found once more: by SQL on the trace alone, with nothing of the quiz's own code.

Owns one query a kind. What a question says of itself is only where to look: its calls, its moment, its thread and socket.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sockreel.replay.quiz import Question

WHAT_A_CALL_DID = """
SELECT CASE
  WHEN o.layer = 'wait' AND c.timeout_ns = 0 AND ifnull(c.result, 0) = 0 THEN 'empty'
  WHEN (o.layer = 'wait' OR o.name = 'ring_wait') AND c.duration_ns >= 5000000 AND (c.result > 0 OR c.timeout_ns > 0) THEN 'waits'
  WHEN u.name = 'would_block' AND c.timeout_ns = 0 THEN 'eagain'
  WHEN u.name = 'timeout' AND c.timeout_ns > 0 THEN 'timeout'
  WHEN u.name = 'reset' THEN 'reset'
  WHEN c.timeout_ns IS NULL AND c.duration_ns >= 5000000 THEN 'waits'
  WHEN u.name = 'eof' THEN 'eof'
  WHEN u.name = 'ok' AND o.name LIKE 'send%' AND c.result = c.asked THEN 'sent'
  WHEN u.name = 'ok' AND o.name = 'accept' THEN 'accepted'
  WHEN u.name = 'ok' AND c.result > 0 THEN 'data' END
FROM calls c JOIN operations o ON o.id = c.operation_id JOIN outcomes u ON u.id = c.outcome_id WHERE c.id = :call"""

WHOSE_SETTING = """
SELECT (SELECT timeout_ns FROM calls a JOIN operations o ON o.id = a.operation_id
    WHERE o.name = 'accept' AND a.result = c.socket_id) AS listener,
  c.timeout_ns AS own, (SELECT count(*) FROM calls s JOIN operations o ON o.id = s.operation_id
    WHERE s.socket_id = c.socket_id AND o.name IN ('setblocking', 'settimeout', 'fcntl')) AS settings
FROM calls c WHERE c.id = :call"""

WHO_WAS_ANSWERED = "SELECT client FROM exchanges WHERE run_id = :run AND answered_ns > :at ORDER BY answered_ns LIMIT 1"

WHO_HAD_CONNECTED_FIRST = """
SELECT e.client FROM exchanges e LEFT JOIN sockets s ON s.id = e.socket_id
WHERE e.run_id = :run AND e.connected_ns <= :at AND (s.opened_ns IS NULL OR s.opened_ns > :at) ORDER BY e.connected_ns LIMIT 1"""

WHOM_IT_TOOK = "SELECT DISTINCT e.client FROM exchanges e JOIN calls c ON c.result = e.socket_id WHERE c.id = :call"

WHERE_IT_STOOD = """
SELECT 'in:' || o.name || ':' || c.socket_id AS key,
  1.0 * sum(min(c.started_ns + c.duration_ns, e.answered_ns) - max(c.started_ns, e.sent_ns)) / (e.answered_ns - e.sent_ns) AS share
FROM exchanges e JOIN calls c ON c.run_id = e.run_id AND c.started_ns < e.answered_ns AND c.started_ns + c.duration_ns > e.sent_ns
JOIN operations o ON o.id = c.operation_id
WHERE e.run_id = :run AND e.socket_id = :socket AND e.sent_ns = :at GROUP BY 1 ORDER BY 2 DESC"""

HOW_BUSY_MEANWHILE = """
SELECT 1.0 * ifnull((SELECT sum(min(o.started_ns + o.duration_ns, c.started_ns) - max(o.started_ns, c.ready_ns)) FROM calls o
    WHERE o.thread_id = c.thread_id AND o.started_ns < c.started_ns AND o.started_ns + o.duration_ns > c.ready_ns), 0)
  / (c.started_ns - c.ready_ns) AS share, c.started_ns - c.ready_ns AS lain_ns,
  (SELECT count(*) FROM folds f WHERE f.thread_id = c.thread_id AND f.first_ns < c.started_ns AND f.last_ns > c.ready_ns) AS folds
FROM calls c WHERE c.id = :call"""

WHICH_LINE_RAN = """
SELECT DISTINCT s.line FROM calls c JOIN sites s ON s.id = c.site_id
WHERE c.run_id = :run AND c.thread_id = :thread AND c.started_ns < :at AND c.started_ns + c.duration_ns > :at"""

WHICH_LINES_FOLLOWED = """
WITH told AS (
  SELECT c.*, lead(c.site_id) OVER following AS next_site, lead(c.started_ns) OVER following AS next_ns
  FROM calls c WHERE c.run_id = :run WINDOW following AS (PARTITION BY c.thread_id ORDER BY c.id))
SELECT DISTINCT s.line FROM told c JOIN calls q ON q.id = :call AND q.site_id = c.site_id AND q.operation_id = c.operation_id
  AND q.outcome_id = c.outcome_id JOIN sites s ON s.id = c.next_site
WHERE NOT EXISTS (SELECT 1 FROM folds f WHERE f.thread_id = c.thread_id AND f.first_ns > c.started_ns AND f.first_ns < c.next_ns)"""

HOW_MANY_FOR_NOTHING = """
SELECT ifnull((SELECT sum(calls) FROM levels WHERE run_id = :run AND level = 7 AND socket_id = 0 AND class = 'fruitless'), 0)
  + (SELECT count(*) FROM calls WHERE run_id = :run AND outcome_id = 1 AND duration_ns >= 8000000)"""

WHAT_THE_TIME_WENT_TO = """
WITH mine AS (
  SELECT c.*, o.name AS operation, o.layer, c.started_ns + c.duration_ns AS ended_ns,
    (c.outcome_id = 2 AND c.result > 0 AND (o.name LIKE 'recv%' OR o.name LIKE 'send%')) AS moved,
    (o.layer = 'wait' OR o.name = 'ring_wait') AS waiting,
    (c.timeout_ns IS NOT 0 AND c.duration_ns >= 100000
      AND (o.layer = 'wait' OR o.name IN ('accept', 'recv', 'send', 'sendall', 'ring_wait'))) AS blocked
  FROM calls c JOIN operations o ON o.id = c.operation_id
  WHERE c.run_id = :run AND (o.name NOT LIKE 'ring_%' OR o.name IN ('ring_wait', 'ring_submit')) AND c.duration_ns IS NOT NULL),
parts AS (
  SELECT (SELECT sum(took) FROM (SELECT max(ended_ns) - min(started_ns) AS took FROM mine GROUP BY thread_id)) AS whole,
    ifnull(sum(duration_ns) FILTER (WHERE waiting AND blocked), 0)
      - ifnull((SELECT sum(i.duration_ns) FROM mine i JOIN mine w ON w.id = i.parent_id WHERE w.waiting), 0) AS waiting,
    ifnull((SELECT sum(ns) FROM levels WHERE run_id = :run AND level = 7 AND socket_id = 0 AND class = 'fruitless'), 0)
      + ifnull(sum(duration_ns) FILTER (WHERE outcome_id = 1 AND duration_ns >= 8000000), 0) AS checking,
    ifnull(sum(CASE WHEN ready_ns IS NOT NULL THEN max(ready_ns - started_ns, 0) WHEN moved THEN 0 ELSE duration_ns END)
      FILTER (WHERE blocked AND NOT waiting), 0) AS blocked,
    ifnull(sum(CASE WHEN NOT blocked THEN duration_ns ELSE ended_ns - max(ready_ns, started_ns) END)
      FILTER (WHERE (moved AND NOT blocked) OR (blocked AND NOT waiting AND ready_ns IS NOT NULL)), 0) AS copying
  FROM mine)
SELECT *, whole - waiting - checking - blocked - copying AS program FROM parts"""

WHICH_MODEL = """
SELECT CASE
  WHEN sum(o.name LIKE 'ring_%') THEN 'asynchronous'
  WHEN EXISTS (SELECT 1 FROM signals WHERE run_id = :run AND signal = 'SIGIO') THEN 'signal-driven'
  WHEN sum(o.name IN ('select', 'poll', 'epoll_wait')) THEN 'multiplexing'
  WHEN sum(o.name = 'recv' AND c.timeout_ns = 0) THEN 'nonblocking'
  ELSE 'blocking' END
FROM calls c JOIN operations o ON o.id = c.operation_id WHERE c.run_id = :run"""

WHAT_COPIED = """
SELECT CASE WHEN o.name = 'ring_recv' THEN 'kernel' ELSE 'thread' END
FROM calls c JOIN operations o ON o.id = c.operation_id WHERE c.id = :call AND c.result > 0 AND o.name LIKE '%recv%'"""

WAS_IT_NAMED = """
SELECT CASE WHEN count(*) THEN 'yes' ELSE 'no' END FROM readiness WHERE call_id = :call AND socket_id = :socket AND events IS NOT NULL"""

WITH_HOW_MANY_SOCKETS = """
SELECT CASE WHEN count(*) FILTER (WHERE o.name = 'accept') THEN 'both' ELSE 'one' END AS key, count(DISTINCT c.socket_id) AS sockets,
  max(count(*) FILTER (WHERE o.name = 'accept'), count(DISTINCT c.peer_id)) AS served
FROM calls c JOIN operations o ON o.id = c.operation_id
WHERE c.run_id = :run AND c.outcome_id = 2 AND (o.name = 'accept' OR (o.name LIKE 'recv%' AND c.peer_id IS NOT NULL))"""

IN_WHICH_ORDERS = """
WITH steps AS (
  SELECT CASE WHEN o.name = 'accept' THEN c.result ELSE c.socket_id END AS socket,
    CASE WHEN o.name LIKE 'recv%' THEN 'receive' WHEN o.name LIKE 'send%' THEN 'send' ELSE o.name END AS step,
    min(c.started_ns + c.duration_ns) AS first_ns
  FROM calls c JOIN operations o ON o.id = c.operation_id WHERE c.run_id = :run AND (
    (o.name = 'accept' AND c.outcome_id = 2) OR o.name LIKE 'recv%' OR o.name LIKE 'send%' OR o.name IN ('shutdown', 'close'))
  GROUP BY 1, 2)
SELECT DISTINCT 'order:' || (SELECT group_concat(step) FROM (SELECT step FROM steps s WHERE s.socket = t.socket
  ORDER BY step <> 'accept', first_ns)) FROM steps t WHERE step = 'accept'"""

WHO_RECEIVED_MEANWHILE = """
SELECT CASE WHEN c.thread_id <> b.thread_id AND c.socket_id <> b.socket_id AND c.result > 0 AND o.name LIKE 'recv%'
  AND c.started_ns + c.duration_ns > b.started_ns AND c.started_ns + c.duration_ns < b.started_ns + b.duration_ns
  AND (c.started_ns > b.started_ns OR c.duration_ns >= 100000) THEN 'thread' ELSE 'after' END
FROM calls c JOIN operations o ON o.id = c.operation_id, (SELECT * FROM calls WHERE id = :other) b WHERE c.id = :call"""

COUNTS = (0, 1, 100, 10_000, 2**62)
SHARES = (0.0, 0.01, 0.1, 0.5, 1.01)


def right_by_sql(connection: sqlite3.Connection, question: Question) -> str:
    """Return the key of the right answer, by the trace alone."""
    return _RULES[question.kind](_Asking(connection, question))


class _Asking:
    def __init__(self, connection: sqlite3.Connection, question: Question) -> None:
        self.connection, self.question = connection, question

    def rows(self, sql: str, call: int = 0) -> list[tuple[Any, ...]]:
        asked = self.question
        values = {"run": asked.run_id, "call": asked.calls[call], "other": asked.calls[-1], "at": asked.at_ns,
                  "thread": asked.thread_id, "socket": asked.socket_id}
        return self.connection.execute(sql, values).fetchall()

    def one(self, sql: str, call: int = 0) -> Any:
        rows = self.rows(sql, call)
        assert len(rows) == 1 and len(rows[0]) == 1, (self.question, rows)
        return rows[0][0]


def _call(asking: _Asking) -> str:
    return str(asking.one(WHAT_A_CALL_DID))


def _inherit(asking: _Asking) -> str:
    assert asking.rows(WHOSE_SETTING) == [(0, None, 0)]
    return _call(asking)


def _how_many(asking: _Asking) -> str:
    return f"bytes:{asking.one('SELECT result FROM calls WHERE id = :call')}"


def _served(asking: _Asking) -> str:
    return f"client:{asking.one(WHO_WAS_ANSWERED)}"


def _turn(asking: _Asking) -> str:
    assert asking.one(WHO_HAD_CONNECTED_FIRST) == asking.one(WHOM_IT_TOOK)
    return f"client:{asking.one(WHOM_IT_TOOK)}"


def _why(asking: _Asking) -> str:
    shares = dict(asking.rows(WHERE_IT_STOOD))
    key = max(shares, key=lambda one: float(shares[one]))
    assert shares[key] > 0.6
    assert all(shares.get(option.key, 0.0) <= 0.2 for option in asking.question.options if option.key != key)
    return str(key)


def _lay(asking: _Asking) -> str:
    ((share, lain_ns, folds),) = asking.rows(HOW_BUSY_MEANWHILE)
    assert lain_ns >= 1_000_000
    return "idle" if share <= 0.2 and not folds else "busy"


def _line(asking: _Asking) -> str:
    return f"line:{asking.one(WHICH_LINE_RAN)}"


def _next(asking: _Asking) -> str:
    return f"line:{asking.one(WHICH_LINES_FOLLOWED)}"


def _fruitless(asking: _Asking) -> str:
    return _range(float(asking.one(HOW_MANY_FOR_NOTHING)), COUNTS)


def _range(value: float, borders: tuple[float, ...]) -> str:
    return f"range:{next(place for place in range(4) if borders[place] <= value < borders[place + 1])}"


def _parts(asking: _Asking) -> dict[str, float]:
    (row,) = asking.rows(WHAT_THE_TIME_WENT_TO)
    return dict(zip(("whole", "waiting", "checking", "blocked", "copying", "program"), row, strict=True))


def _phase(asking: _Asking) -> str:
    parts = _parts(asking)
    return max(("waiting", "checking", "blocked", "copying", "program"), key=lambda name: parts[name])


def _copying(asking: _Asking) -> str:
    parts = _parts(asking)
    return _range(parts["copying"] / parts["whole"], SHARES)


def _model(asking: _Asking) -> str:
    return str(asking.one(WHICH_MODEL))


def _copier(asking: _Asking) -> str:
    return str(asking.one(WHAT_COPIED))


def _again(asking: _Asking) -> str:
    return str(asking.one(WAS_IT_NAMED, 1))


def _sockets(asking: _Asking) -> str:
    ((key, sockets, served),) = asking.rows(WITH_HOW_MANY_SOCKETS)
    assert sockets == 1 and any(option.words.startswith(f"{served:,}") for option in asking.question.options)
    return f"sockets:{key}"


def _life(asking: _Asking) -> str:
    return str(asking.one(IN_WHICH_ORDERS))


def _beside(asking: _Asking) -> str:
    return str(asking.one(WHO_RECEIVED_MEANWHILE))


_RULES: dict[str, Callable[[_Asking], str]] = {
    **dict.fromkeys(("call", "sent", "left", "reset", "readable", "writable", "drain"), _call),
    "inherit": _inherit, "how_many": _how_many, "served": _served, "turn": _turn, "why": _why, "lay": _lay, "line": _line, "next": _next,
    "fruitless": _fruitless, "phase": _phase, "copying": _copying, "model": _model, "asyncio": _model, "copier": _copier, "again": _again,
    "sockets": _sockets, "life": _life, "beside": _beside,
}
