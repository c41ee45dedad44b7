-- Reads that took bytes out of the buffers of sockets. MSG_PEEK is 2: it takes none.
SELECT c.socket_id, CAST(c.started_ns + c.duration_ns AS INTEGER) AS at_ns, CAST(c.result AS INTEGER) AS bytes
FROM calls c JOIN operations o ON o.id = c.operation_id
WHERE c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND c.socket_id IS NOT NULL AND c.result > 0 AND c.duration_ns IS NOT NULL AND ifnull(c.flags, 0) & 2 = 0
  AND c.outcome_id = (SELECT id FROM outcomes WHERE name = 'ok') AND o.layer <> 'tls'
  AND (o.name LIKE 'recv%' OR o.name IN ('read', 'readv', 'ring_recv')) ORDER BY at_ns, c.id;
