-- What the recorder summed up for a run, per process, operation and outcome.
SELECT CAST(m.process_id AS INTEGER) AS process_id, CAST(o.name AS TEXT) AS operation,
  CAST(coalesce(u.name, 'unfinished') AS TEXT) AS outcome,
  CAST(m.calls AS INTEGER) AS calls, CAST(m.total_ns AS INTEGER) AS total_ns, CAST(m.histogram AS TEXT) AS histogram
FROM summaries m
LEFT JOIN operations o ON o.id = m.operation_id
LEFT JOIN outcomes u ON u.id = m.outcome_id
WHERE m.run_id = :run;
