-- Calls of a run that ended in other ways than moving data or finding none, counted per stretch of time.
SELECT CAST(c.thread_id AS INTEGER) AS thread_id, CAST(c.socket_id AS INTEGER) AS socket_id, u.name AS outcome, o.layer AS layer,
  CAST(min(c.started_ns + c.duration_ns) AS INTEGER) AS at_ns, count(*) AS calls
FROM calls c JOIN outcomes u ON u.id = c.outcome_id JOIN operations o ON o.id = c.operation_id
WHERE c.id BETWEEN :first AND :last AND c.run_id = :run
  AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND c.started_ns < :end AND c.started_ns + c.duration_ns >= :start
  AND c.outcome_id IN (SELECT id FROM outcomes WHERE name IN (SELECT value FROM json_each(:outcomes)))
  AND NOT (o.layer = 'wait' AND c.outcome_id IN (SELECT id FROM outcomes WHERE name = 'timeout'))
GROUP BY (c.started_ns + c.duration_ns) / :step, c.thread_id, c.socket_id, c.outcome_id
ORDER BY at_ns LIMIT 100000;
