-- Calls that gave a TCP or UDP socket something, in the order in which they began; those that another of them made are in that one.
SELECT c.id, c.socket_id, o.name AS operation, u.name AS outcome, c.started_ns, c.started_ns + c.duration_ns AS ended_ns,
  c.asked, c.result, coalesce(c.flags, 0) AS flags, a.text AS peer
FROM calls c
JOIN operations o ON o.id = c.operation_id
LEFT JOIN outcomes u ON u.id = c.outcome_id
JOIN sockets s ON s.id = c.socket_id
LEFT JOIN addresses a ON a.id = c.peer_id
LEFT JOIN calls q ON q.id = c.parent_id AND q.socket_id = c.socket_id
LEFT JOIN operations r ON r.id = q.operation_id
WHERE c.run_id = :run AND s.kind IN ('tcp', 'udp')
  AND (o.name LIKE 'send%' OR o.name LIKE 'write%' OR o.name IN ('splice', 'tls_send', 'ring_send'))
  AND coalesce(r.name LIKE 'send%', 0) = 0
ORDER BY c.started_ns, c.id;
