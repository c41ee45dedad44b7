-- Every call of a run that touches a window of time, in the order of the tape, as much of it as a player needs to step: when, where, what it moved in which direction.
-- Bytes are those in the clear where TLS carries them; peeks (MSG_PEEK = 2) move nothing.
SELECT CAST(c.id AS INTEGER) AS id, CAST(c.thread_id AS INTEGER) AS thread_id, CAST(c.socket_id AS INTEGER) AS socket_id,
  CAST(c.operation_id AS INTEGER) AS operation_id, CAST(c.outcome_id AS INTEGER) AS outcome_id, CAST(c.site_id AS INTEGER) AS site_id,
  CAST(c.started_ns AS INTEGER) AS started_ns, CAST(c.started_ns + c.duration_ns AS INTEGER) AS ended_ns,
  (c.outcome_id = 1 OR (o.layer = 'wait' AND c.timeout_ns = 0 AND ifnull(c.result, 0) = 0 AND c.duration_ns IS NOT NULL)
    OR (c.outcome_id IN (6, 7) AND o.name IN ('tls_recv', 'tls_send'))) IS TRUE AS fruitless,
  CASE WHEN c.outcome_id IS NOT 2 OR ifnull(c.result, 0) <= 0 THEN 0
    WHEN o.name IN ('tls_recv', 'tls_read') THEN CAST(c.result AS INTEGER)
    WHEN c.id >= w.first_call_id THEN 0
    WHEN (o.name LIKE 'recv%' OR o.name LIKE 'read%' OR o.name = 'ring_recv') AND ifnull(c.flags, 0) & 2 = 0 THEN CAST(c.result AS INTEGER)
    ELSE 0 END AS received_bytes,
  CASE WHEN c.outcome_id IS NOT 2 OR ifnull(c.result, 0) <= 0 THEN 0
    WHEN o.name IN ('tls_send', 'tls_write') THEN CAST(c.result AS INTEGER)
    WHEN c.id >= w.first_call_id THEN 0
    WHEN (o.name LIKE 'send%' OR o.name LIKE 'write%' OR o.name = 'ring_send') AND c.parent_id IS NULL THEN CAST(c.result AS INTEGER)
    ELSE 0 END AS sent_bytes
FROM calls c JOIN operations o ON o.id = c.operation_id LEFT JOIN wrapped_sockets w ON w.socket_id = c.socket_id
WHERE c.run_id = :run AND c.started_ns < :end AND (c.duration_ns IS NULL OR c.started_ns + c.duration_ns > :start)
ORDER BY c.id;
