-- The calls that sent or read the packets of a run in a window of time, in words.
SELECT b.packet_id, b.call_id, c.started_ns, c.duration_ns, o.name AS operation, c.result, c.ready_ns, s.fd, t.name AS thread,
  f.file, f.line
FROM packets p
JOIN carried b ON b.packet_id = p.id
JOIN calls c ON c.id = b.call_id
JOIN operations o ON o.id = c.operation_id
LEFT JOIN sockets s ON s.id = c.socket_id
LEFT JOIN threads t ON t.id = c.thread_id
LEFT JOIN sites f ON f.id = c.site_id
WHERE p.run_id = :run AND p.at_ns >= :start AND p.at_ns < :end ORDER BY b.packet_id, b.call_id;
