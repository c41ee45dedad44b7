-- Lines of the program by the time that their socket calls took.
SELECT coalesce(r.label, 'run ' || r.id) AS run, f.file || ':' || f.line AS site, f.function, o.name AS operation, count(*) AS calls,
  round(total(c.duration_ns) / 1e6, 3) AS in_calls_ms, f.code
FROM calls c
JOIN runs r ON r.id = c.run_id
JOIN sites f ON f.id = c.site_id
JOIN operations o ON o.id = c.operation_id
WHERE :run IS NULL OR c.run_id = :run
GROUP BY c.run_id, c.site_id, c.operation_id ORDER BY c.run_id, in_calls_ms DESC;
