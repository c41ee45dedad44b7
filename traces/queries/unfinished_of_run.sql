-- Calls of a run that had not returned when their process ended.
SELECT c.id, CAST(p.pid AS INTEGER) AS pid, 
  CAST(coalesce(t.name, 'thread ' || t.id) AS TEXT) AS thread, CAST(o.name AS TEXT) AS operation,
  CAST(s.fd AS INTEGER) AS fd, CAST(coalesce(s.peer, s.local) AS TEXT) AS peer, CAST(c.started_ns AS INTEGER) AS started_ns,
  CAST(f.file || ':' || f.line AS TEXT) AS site
FROM calls c
JOIN operations o ON o.id = c.operation_id
JOIN threads t ON t.id = c.thread_id
JOIN processes p ON p.id = t.process_id
LEFT JOIN sockets s ON s.id = c.socket_id
LEFT JOIN sites f ON f.id = c.site_id
WHERE c.run_id = :run AND (c.duration_ns >= 8000000 OR c.duration_ns IS NULL) AND c.duration_ns IS NULL
ORDER BY c.id;
