-- How many bytes the calls of a run received and sent, as the view connections counts them: in the clear where TLS carries them; peeks (MSG_PEEK = 2) move nothing.
SELECT
  ifnull(sum(CASE WHEN o.name IN ('tls_recv', 'tls_read') THEN c.result
    WHEN c.id >= w.first_call_id THEN 0
    WHEN (o.name LIKE 'recv%' OR o.name LIKE 'read%' OR o.name = 'ring_recv') AND ifnull(c.flags, 0) & 2 = 0 THEN c.result
    ELSE 0 END), 0) AS received_bytes,
  ifnull(sum(CASE WHEN o.name IN ('tls_send', 'tls_write') THEN c.result
    WHEN c.id >= w.first_call_id THEN 0
    WHEN (o.name LIKE 'send%' OR o.name LIKE 'write%' OR o.name = 'ring_send') AND c.parent_id IS NULL THEN c.result
    ELSE 0 END), 0) AS sent_bytes
FROM calls c JOIN operations o ON o.id = c.operation_id LEFT JOIN wrapped_sockets w ON w.socket_id = c.socket_id
WHERE c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0) -- by the index calls_not_fruitless
  AND c.outcome_id = 2 AND c.result > 0;
