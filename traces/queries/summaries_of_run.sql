-- Every call of a run counted: per process, operation and outcome, with its histogram of durations.
SELECT CAST(p.pid AS INTEGER) AS pid, CAST(o.name AS TEXT) AS operation, o.layer,
  CAST(coalesce(u.name, 'unfinished') AS TEXT) AS outcome,
  CAST(m.calls AS INTEGER) AS calls, CAST(m.total_ns AS INTEGER) AS total_ns,
  CAST(m.min_ns AS INTEGER) AS min_ns, CAST(m.max_ns AS INTEGER) AS max_ns,
  CAST(m.bytes AS INTEGER) AS bytes, CAST(m.histogram AS TEXT) AS histogram
FROM summaries m
JOIN processes p ON p.id = m.process_id
JOIN operations o ON o.id = m.operation_id
LEFT JOIN outcomes u ON u.id = m.outcome_id
WHERE m.run_id = :run
ORDER BY m.total_ns DESC;
