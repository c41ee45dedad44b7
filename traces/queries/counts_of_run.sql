-- Every call of a run counted, per operation and outcome, from what was summed up while recording.
SELECT o.name AS operation, o.layer, u.name AS outcome, CAST(sum(m.calls) AS INTEGER) AS calls,
  CAST(sum(m.total_ns) AS INTEGER) AS total_ns, CAST(sum(m.bytes) AS INTEGER) AS bytes
FROM summaries m JOIN operations o ON o.id = m.operation_id LEFT JOIN outcomes u ON u.id = m.outcome_id
WHERE m.run_id = :run GROUP BY o.id, u.id ORDER BY calls DESC, operation, outcome;
