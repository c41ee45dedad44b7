-- Every call of a run with what a second witness would know of it: thread, descriptor, outcome. In the order of their start.
SELECT CAST(c.id AS INTEGER) AS id, CAST(t.native_id AS INTEGER) AS thread, CAST(p.pid AS INTEGER) AS pid, o.name AS operation, o.layer AS layer,
  CAST(s.fd AS INTEGER) AS fd, u.name AS outcome, CAST(c.errno AS INTEGER) AS errno, CAST(c.result AS INTEGER) AS result,
  CAST(c.asked AS INTEGER) AS asked, CAST(c.timeout_ns AS INTEGER) AS timeout_ns, c.parent_id AS parent, c.socket_id AS socket,
  s.closed_by AS closed_by, CAST(n.fd AS INTEGER) AS new_fd, CAST(c.started_ns AS INTEGER) AS started_ns, c.site_id AS site,
  o.layer = 'tls' AND (m.socket_id IS NOT NULL OR o.name IN ('tls_read', 'tls_write')) AS in_memory
FROM calls c
JOIN threads t ON t.id = c.thread_id
JOIN processes p ON p.id = t.process_id
JOIN operations o ON o.id = c.operation_id
LEFT JOIN outcomes u ON u.id = c.outcome_id
LEFT JOIN sockets s ON s.id = c.socket_id
LEFT JOIN sockets n ON o.name = 'accept' AND n.id = c.result
LEFT JOIN (SELECT DISTINCT w.socket_id FROM links l JOIN calls w ON w.id = l.from_call_id WHERE l.kind = 'wrapped') m
  ON m.socket_id = c.socket_id
WHERE c.run_id = :run
ORDER BY c.started_ns, c.id;
