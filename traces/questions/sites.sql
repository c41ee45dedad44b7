-- Lines of the program by the time that their socket calls took.
SELECT coalesce(r.label, 'run ' || r.id) AS run, f.file || ':' || f.line AS site, f.function, o.name AS operation, sum(c.calls) AS calls,
  round(total(c.in_calls_ns) / 1e6, 3) AS in_calls_ms, f.code
FROM (
  SELECT run_id, site_id, operation_id, count(*) AS calls, sum(duration_ns) AS in_calls_ns FROM calls GROUP BY run_id, site_id, operation_id
  UNION ALL
  SELECT p.run_id, q.site_id, q.operation_id, sum(q.calls), sum(q.in_calls_ns)
  FROM fold_parts q JOIN folds d ON d.id = q.fold_id JOIN threads t ON t.id = d.thread_id JOIN processes p ON p.id = t.process_id
  GROUP BY p.run_id, q.site_id, q.operation_id
) c
JOIN runs r ON r.id = c.run_id
JOIN sites f ON f.id = c.site_id
JOIN operations o ON o.id = c.operation_id
WHERE :run IS NULL OR c.run_id = :run
GROUP BY c.run_id, c.site_id, c.operation_id ORDER BY c.run_id, in_calls_ms DESC;
