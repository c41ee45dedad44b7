-- Calls that failed because no descriptor was left: EMFILE is 24, ENFILE 23.
SELECT o.name AS operation, c.errno, c.site_id, count(*) AS times, min(c.id) AS first_id, max(c.id) AS last_id, min(c.started_ns) AS first_ns,
  max(c.started_ns) AS last_ns
FROM calls c JOIN operations o ON o.id = c.operation_id
WHERE c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND c.outcome_id = (SELECT id FROM outcomes WHERE name = 'error') AND c.errno IN (23, 24)
GROUP BY o.name, c.errno, c.site_id ORDER BY times DESC, first_id LIMIT :most;
