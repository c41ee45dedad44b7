-- Sockets of a run, oldest first.
SELECT s.id, s.process_id, CAST(p.pid AS INTEGER) AS pid, CAST(s.fd AS INTEGER) AS fd, CAST(s.kind AS TEXT) AS kind,
  CAST(s.role AS TEXT) AS role, CAST(s.local AS TEXT) AS local, CAST(s.peer AS TEXT) AS peer, s.parent_id,
  CAST(s.opened_ns AS INTEGER) AS opened_ns, CAST(s.closed_ns AS INTEGER) AS closed_ns, CAST(s.closed_by AS TEXT) AS closed_by,
  s.internal IS 1 AS internal
FROM sockets s JOIN processes p ON p.id = s.process_id WHERE p.run_id = :run ORDER BY s.opened_ns, s.id;
