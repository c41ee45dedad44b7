-- Receives per socket: how many there were, and how many of them asked for a few bytes only, without having to wait for them.
SELECT c.socket_id, count(*) AS receives, sum(c.asked BETWEEN 1 AND :few) AS small, sum(CASE WHEN c.asked BETWEEN 1 AND :few THEN c.result ELSE 0 END) AS bytes,
  sum(CASE WHEN c.asked BETWEEN 1 AND :few THEN c.duration_ns ELSE 0 END) AS ns,
  min(CASE WHEN c.asked BETWEEN 1 AND :few THEN c.id END) AS first_id, max(CASE WHEN c.asked BETWEEN 1 AND :few THEN c.id END) AS last_id
FROM calls c
WHERE c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND c.outcome_id = (SELECT id FROM outcomes WHERE name = 'ok') AND c.duration_ns < 1000000
  AND c.operation_id IN (SELECT id FROM operations WHERE name LIKE 'recv%' OR name IN ('read', 'readv', 'tls_recv'))
GROUP BY c.socket_id HAVING small >= :least ORDER BY small DESC LIMIT :most;
