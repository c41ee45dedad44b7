-- Of a run cut into stretches of :width ns: per stretch and socket (0: none) what came to an end in it, without calls that would have
-- blocked (stretches_would_block.sql counts those); bytes as in steps_of_run.
SELECT CAST((c.started_ns + c.duration_ns - 1) / :width AS INTEGER) AS stretch, CAST(ifnull(c.socket_id, 0) AS INTEGER) AS socket_id,
  count(*) AS calls,
  CAST(sum((o.layer = 'wait' AND c.timeout_ns = 0 AND ifnull(c.result, 0) = 0)
    OR (c.outcome_id IN (6, 7) AND o.name IN ('tls_recv', 'tls_send')) IS TRUE) AS INTEGER) AS fruitless,
  CAST(sum(CASE WHEN c.outcome_id IS NOT 2 OR ifnull(c.result, 0) <= 0 THEN 0
    WHEN o.name IN ('tls_recv', 'tls_read') THEN c.result
    WHEN c.id >= w.first_call_id THEN 0
    WHEN (o.name LIKE 'recv%' OR o.name LIKE 'read%' OR o.name = 'ring_recv') AND ifnull(c.flags, 0) & 2 = 0 THEN c.result
    ELSE 0 END) AS INTEGER) AS received_bytes,
  CAST(sum(CASE WHEN c.outcome_id IS NOT 2 OR ifnull(c.result, 0) <= 0 THEN 0
    WHEN o.name IN ('tls_send', 'tls_write') THEN c.result
    WHEN c.id >= w.first_call_id THEN 0
    WHEN (o.name LIKE 'send%' OR o.name LIKE 'write%' OR o.name = 'ring_send') AND c.parent_id IS NULL THEN c.result
    ELSE 0 END) AS INTEGER) AS sent_bytes
FROM calls c JOIN operations o ON o.id = c.operation_id LEFT JOIN wrapped_sockets w ON w.socket_id = c.socket_id
WHERE c.run_id = :run AND c.outcome_id IS NOT 1 AND c.duration_ns IS NOT NULL
GROUP BY 1, 2;
