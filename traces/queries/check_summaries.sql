-- What the recorder summed up for a run, per process, operation and outcome.
SELECT m.process_id, m.operation_id, o.name AS operation, coalesce(u.name, 'unfinished') AS outcome,
  CAST(m.calls AS INTEGER) AS calls, CAST(m.total_ns AS INTEGER) AS total_ns, m.histogram
FROM summaries m
LEFT JOIN operations o ON o.id = m.operation_id
LEFT JOIN outcomes u ON u.id = m.outcome_id
WHERE m.run_id = :run;
