-- Calls of a run in a window of time, in words, as recorded; the first bytes of what they moved where wanted.
SELECT c.id, c.started_ns, c.duration_ns, p.pid, c.thread_id, t.name AS thread, c.socket_id, s.fd, s.kind, s.role, s.local,
  s.peer AS connection_peer, o.name AS operation, o.layer, u.name AS outcome, c.asked, c.result, c.errno, c.flags, c.timeout_ns,
  a.text AS peer, c.parent_id, c.ready_ns, c.ready_source, f.file, f.line, f.function, f.code,
  CASE WHEN :payload THEN b.size END AS payload_size, CASE WHEN :payload THEN b.data END AS payload
FROM calls c
JOIN operations o ON o.id = c.operation_id
LEFT JOIN outcomes u ON u.id = c.outcome_id
LEFT JOIN threads t ON t.id = c.thread_id
LEFT JOIN processes p ON p.id = t.process_id
LEFT JOIN sockets s ON s.id = c.socket_id
LEFT JOIN addresses a ON a.id = c.peer_id
LEFT JOIN sites f ON f.id = c.site_id
LEFT JOIN payloads b ON :payload AND b.call_id = c.id
WHERE c.run_id = :run AND c.started_ns < :end
  AND (c.duration_ns IS NULL OR c.started_ns + c.duration_ns > :start OR c.started_ns >= :start)
ORDER BY c.id;
