-- When a run first listened.
SELECT CAST(c.started_ns AS INTEGER) AS started_ns FROM calls c
WHERE c.id BETWEEN :first AND :last AND c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND c.operation_id = (SELECT id FROM operations WHERE name = 'listen')
  AND c.outcome_id = (SELECT id FROM outcomes WHERE name = 'ok')
ORDER BY c.id LIMIT 1;
