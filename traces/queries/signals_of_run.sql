-- Signals of a run that a window of time touches, in the order of time.
SELECT CAST(g.id AS INTEGER) AS id, CAST(g.thread_id AS INTEGER) AS thread_id, CAST(g.signal AS TEXT) AS signal, CAST(g.via AS TEXT) AS via,
  CAST(g.started_ns AS INTEGER) AS started_ns, CAST(g.ended_ns AS INTEGER) AS ended_ns,
  CAST(g.during_call_id AS INTEGER) AS during_call_id, CAST(g.socket_id AS INTEGER) AS socket_id, o.name AS during
FROM signals g LEFT JOIN calls c ON c.id = g.during_call_id LEFT JOIN operations o ON o.id = c.operation_id
WHERE g.run_id = :run AND g.started_ns < :end AND ifnull(g.ended_ns, g.started_ns) >= :start ORDER BY g.started_ns, g.id LIMIT :most;
