-- Calls of a run that brought something, of some operations, with how long the wait before them took: where a wait found their socket ready, or a pause was interrupted for them.
SELECT c.id, c.thread_id, c.socket_id, o.layer, CAST(c.started_ns AS INTEGER) AS started_ns, CAST(c.duration_ns AS INTEGER) AS duration_ns,
  CAST(c.timeout_ns AS INTEGER) AS timeout_ns, CAST(c.ready_ns AS INTEGER) AS ready_ns, CAST(s.opened_ns AS INTEGER) AS opened_ns,
  CAST(w.duration_ns AS INTEGER) AS waited_ns, CAST(p.duration_ns AS INTEGER) AS paused_ns
FROM calls c JOIN operations o ON o.id = c.operation_id JOIN sockets s ON s.id = c.socket_id
LEFT JOIN (SELECT to_call_id, max(from_call_id) AS from_call_id FROM links WHERE kind = 'readiness' GROUP BY to_call_id) l ON l.to_call_id = c.id
LEFT JOIN calls w ON w.id = l.from_call_id
LEFT JOIN calls p ON p.id = c.parent_id AND p.operation_id IN (SELECT id FROM operations WHERE layer = 'wait')
WHERE c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND c.outcome_id = (SELECT id FROM outcomes WHERE name = 'ok') AND c.result > 0 AND c.duration_ns IS NOT NULL
  AND c.operation_id IN (SELECT id FROM operations WHERE name IN (SELECT value FROM json_each(:operations))) AND s.internal IS NOT 1
ORDER BY c.id LIMIT :most;
