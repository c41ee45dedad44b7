-- The last signal that a thread had begun to serve before a moment, and had not finished before it.
SELECT CAST(g.id AS INTEGER) AS id, CAST(g.thread_id AS INTEGER) AS thread_id, CAST(g.signal AS TEXT) AS signal, CAST(g.via AS TEXT) AS via,
  CAST(g.started_ns AS INTEGER) AS started_ns, CAST(g.ended_ns AS INTEGER) AS ended_ns,
  CAST(g.during_call_id AS INTEGER) AS during_call_id, CAST(g.socket_id AS INTEGER) AS socket_id, o.name AS during
FROM signals g LEFT JOIN calls c ON c.id = g.during_call_id LEFT JOIN operations o ON o.id = c.operation_id
WHERE g.run_id = :run AND g.thread_id = :thread AND g.started_ns <= :at AND (g.via = 'sigwait' OR ifnull(g.ended_ns, :at) >= :at)
ORDER BY g.started_ns DESC LIMIT 1;
