-- Calls that took something from a TCP or UDP socket, in the order in which they returned. MSG_ERRQUEUE = 8192 takes no data.
SELECT c.id, c.socket_id, o.name AS operation, u.name AS outcome, c.started_ns, c.started_ns + c.duration_ns AS ended_ns,
  c.asked, c.result, coalesce(c.flags, 0) AS flags, a.text AS peer
FROM calls c
JOIN operations o ON o.id = c.operation_id
JOIN outcomes u ON u.id = c.outcome_id
JOIN sockets s ON s.id = c.socket_id
LEFT JOIN addresses a ON a.id = c.peer_id
WHERE c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND s.kind IN ('tcp', 'udp') AND c.duration_ns IS NOT NULL AND u.name IN ('ok', 'eof', 'in_progress')
  AND (o.name LIKE 'recv%' OR o.name LIKE 'read%' OR o.name IN ('accept', 'connect', 'connect_ex', 'splice', 'tls_recv',
    'ring_accept', 'ring_connect', 'ring_recv'))
  AND coalesce(c.flags, 0) & 8192 = 0
ORDER BY c.started_ns + c.duration_ns, c.id;
