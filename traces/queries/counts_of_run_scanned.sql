-- Every call of a run counted, per operation and outcome, by reading them all: for traces without summaries.
SELECT o.name AS operation, o.layer, u.name AS outcome, count(*) AS calls,
  CAST(sum(coalesce(c.duration_ns, 0)) AS INTEGER) AS total_ns,
  CAST(sum(CASE WHEN u.name = 'ok' AND (o.name LIKE 'recv%' OR o.name LIKE 'send%') THEN coalesce(c.result, 0) ELSE 0 END) AS INTEGER) AS bytes
FROM calls c JOIN operations o ON o.id = c.operation_id LEFT JOIN outcomes u ON u.id = c.outcome_id
WHERE c.run_id = :run GROUP BY o.id, u.id ORDER BY calls DESC, operation, outcome;
