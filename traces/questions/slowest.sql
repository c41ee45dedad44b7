-- The calls that took longest, unfinished ones first.
SELECT c.id, coalesce(r.label, 'run ' || r.id) AS run, o.name AS operation, coalesce(u.name, 'unfinished') AS outcome,
  round(c.duration_ns / 1e6, 3) AS duration_ms, round(c.started_ns / 1e9, 6) AS at_s, s.fd, f.file || ':' || f.line AS site, f.code
FROM calls c
JOIN runs r ON r.id = c.run_id
JOIN operations o ON o.id = c.operation_id
LEFT JOIN outcomes u ON u.id = c.outcome_id
LEFT JOIN sockets s ON s.id = c.socket_id
LEFT JOIN sites f ON f.id = c.site_id
WHERE :run IS NULL OR c.run_id = :run
ORDER BY c.duration_ns IS NOT NULL, c.duration_ns DESC LIMIT 20;
