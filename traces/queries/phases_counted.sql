-- The two phases of receives, added up per operation and by where their ready time is from (NULL: it is not known).
SELECT o.name AS operation, c.ready_source AS source, count(*) AS calls, sum(c.duration_ns) AS total_ns,
  sum(max(c.ready_ns - c.started_ns, 0)) AS wait_ns, max(max(c.ready_ns - c.started_ns, 0)) AS longest_wait_ns,
  sum(c.started_ns + c.duration_ns - max(c.ready_ns, c.started_ns)) AS copy_ns,
  coalesce(sum(c.ready_ns < c.started_ns), 0) AS lay_there, max(c.started_ns - c.ready_ns) FILTER (WHERE c.ready_ns < c.started_ns) AS longest_sat_ns
FROM calls c JOIN operations o ON o.id = c.operation_id
WHERE c.run_id = :run AND c.duration_ns IS NOT NULL AND (c.ready_ns IS NOT NULL OR (c.outcome_id = 2 AND c.result > 0 AND o.name LIKE 'recv%'))
GROUP BY o.name, c.ready_source ORDER BY c.ready_source IS NULL, wait_ns DESC, o.name;
