-- Calls that failed, by operation, outcome and errno, with the place in the program; would_block is no failure.
SELECT coalesce(r.label, 'run ' || r.id) AS run, o.name AS operation, u.name AS outcome, c.errno, count(*) AS calls,
  f.file || ':' || f.line AS site, f.code
FROM calls c
JOIN runs r ON r.id = c.run_id
JOIN operations o ON o.id = c.operation_id
JOIN outcomes u ON u.id = c.outcome_id
LEFT JOIN sites f ON f.id = c.site_id
WHERE u.name NOT IN ('ok', 'would_block', 'in_progress', 'eof', 'want_read', 'want_write') AND (:run IS NULL OR c.run_id = :run)
GROUP BY c.run_id, c.operation_id, c.outcome_id, c.errno, c.site_id ORDER BY c.run_id, calls DESC;
