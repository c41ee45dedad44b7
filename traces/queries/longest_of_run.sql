-- The call of a run that lasted longest: on what, and whose connection.
SELECT CAST(o.name AS TEXT) AS operation, CAST(s.role AS TEXT) AS role, CAST(coalesce(c.duration_ns, 0) AS INTEGER) AS duration_ns,
  CAST((SELECT x.client FROM exchanges x WHERE x.run_id = c.run_id AND x.socket_id = c.socket_id LIMIT 1) AS TEXT) AS client
FROM calls c INDEXED BY calls_long JOIN operations o ON o.id = c.operation_id LEFT JOIN sockets s ON s.id = c.socket_id
WHERE c.run_id = :run AND (c.duration_ns >= 8000000 OR c.duration_ns IS NULL)
ORDER BY c.duration_ns IS NOT NULL, c.duration_ns DESC LIMIT 1;
