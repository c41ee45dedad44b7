-- Receives of a run that moved bytes: how many each, and how long it took.
SELECT CAST(c.result AS INTEGER) AS bytes, CAST(c.duration_ns AS INTEGER) AS ns, CAST(c.timeout_ns AS INTEGER) AS timeout_ns,
  CAST(c.started_ns AS INTEGER) AS started_ns, c.id, o.name AS operation
FROM calls c JOIN operations o ON o.id = c.operation_id
WHERE c.run_id = :run AND o.name IN ('recv', 'recv_into') AND c.result > 0 AND c.duration_ns IS NOT NULL
  AND c.outcome_id = (SELECT id FROM outcomes WHERE name = 'ok')
ORDER BY c.started_ns LIMIT :most;
