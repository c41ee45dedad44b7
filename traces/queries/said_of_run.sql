-- What accepted connections of a run received and sent, in order: whole calls in the clear, their first bytes, and how each ended.
SELECT c.socket_id, CAST(s.opened_ns AS INTEGER) AS opened_ns, CAST(o.name LIKE 'recv%' OR o.name LIKE 'read%' OR o.name LIKE 'tls_re%' AS INTEGER) AS receives,
  CAST(u.name AS TEXT) AS outcome, CAST(c.started_ns + c.duration_ns AS INTEGER) AS ended_ns, CAST(coalesce(c.result, 0) AS INTEGER) AS size,
  CAST(b.data AS BLOB) AS data
FROM calls c JOIN operations o ON o.id = c.operation_id JOIN outcomes u ON u.id = c.outcome_id JOIN sockets s ON s.id = c.socket_id
LEFT JOIN payloads b ON b.call_id = c.id LEFT JOIN wrapped_sockets w ON w.socket_id = c.socket_id
WHERE c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND c.started_ns >= :start AND c.started_ns < :end AND s.role = 'accepted' AND s.type = 'SOCK_STREAM'
  AND c.duration_ns IS NOT NULL AND u.name IN ('ok', 'eof', 'reset')
  AND (o.name IN ('tls_recv', 'tls_read', 'tls_send', 'tls_write') OR (c.id >= w.first_call_id) IS NOT TRUE
    AND (((o.name LIKE 'recv%' OR o.name LIKE 'read%') AND coalesce(c.flags, 0) & 2 = 0)
      OR ((o.name LIKE 'send%' OR o.name LIKE 'write%') AND c.parent_id IS NULL)))
ORDER BY s.opened_ns, c.socket_id, c.started_ns, c.id;
