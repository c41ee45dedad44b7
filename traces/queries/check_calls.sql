-- The calls of a run counted from their rows, per thread and operation.
-- Short calls, of less than 8 ms, are those that stand in levels.
SELECT CAST(c.thread_id AS INTEGER) AS thread_id, CAST(o.name AS TEXT) AS operation, CAST(t.process_id AS INTEGER) AS process_id,
  count(*) AS calls,
  coalesce(sum(c.duration_ns < 8000000), 0) AS short_calls,
  coalesce(sum(CAST(c.duration_ns AS INTEGER)) FILTER (WHERE c.duration_ns < 8000000), 0) AS short_ns,
  coalesce(sum(CAST(c.duration_ns AS INTEGER)), 0) AS total_ns,
  coalesce(sum(c.duration_ns < 0 OR c.started_ns < 0), 0) AS before_time,
  coalesce(sum(typeof(c.started_ns) <> 'integer' OR typeof(c.duration_ns) NOT IN ('integer', 'null')), 0) AS no_numbers,
  coalesce(sum(c.duration_ns IS NULL AND c.outcome_id IS NOT NULL), 0) AS outcome_without_end,
  coalesce(sum(c.duration_ns IS NOT NULL AND c.outcome_id IS NULL), 0) AS end_without_outcome,
  max(CASE WHEN c.parent_id IS NULL THEN CAST(c.started_ns AS INTEGER) END) AS last_started_ns,
  p.run_id AS process_run_id
FROM calls c
LEFT JOIN operations o ON o.id = c.operation_id
LEFT JOIN threads t ON t.id = c.thread_id
LEFT JOIN processes p ON p.id = t.process_id
WHERE c.run_id = :run
GROUP BY c.thread_id, c.operation_id;
