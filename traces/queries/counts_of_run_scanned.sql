-- Every call of a run counted, per operation and outcome, by reading them all, folds included: for traces without summaries.
SELECT o.name AS operation, o.layer, u.name AS outcome, CAST(sum(c.calls) AS INTEGER) AS calls, CAST(sum(c.total_ns) AS INTEGER) AS total_ns,
  CAST(sum(CASE WHEN u.name = 'ok' AND (o.name LIKE 'recv%' OR o.name LIKE 'send%' OR o.name IN ('tls_recv', 'tls_send', 'ring_recv', 'ring_send') OR o.layer = 'file')
    THEN c.results ELSE 0 END) AS INTEGER) AS bytes
FROM (
  SELECT operation_id, outcome_id, count(*) AS calls, sum(coalesce(duration_ns, 0)) AS total_ns, sum(coalesce(result, 0)) AS results
  FROM calls WHERE run_id = :run GROUP BY operation_id, outcome_id
  UNION ALL
  SELECT q.operation_id, (SELECT id FROM outcomes WHERE name = CASE o.layer WHEN 'wait' THEN 'timeout' ELSE 'would_block' END),
    sum(q.calls), sum(q.in_calls_ns), 0
  FROM fold_parts q JOIN operations o ON o.id = q.operation_id JOIN folds f ON f.id = q.fold_id JOIN threads t ON t.id = f.thread_id JOIN processes p ON p.id = t.process_id
  WHERE p.run_id = :run GROUP BY q.operation_id
) c JOIN operations o ON o.id = c.operation_id LEFT JOIN outcomes u ON u.id = c.outcome_id
GROUP BY o.id, u.id ORDER BY calls DESC, operation, outcome;
