-- Sends of the run that are known to have been read from a socket: each is in its buffer when it returns.
SELECT DISTINCT f.id, CAST(f.started_ns + f.duration_ns AS INTEGER) AS at_ns, CAST(f.result AS INTEGER) AS bytes
FROM calls c JOIN links l ON l.to_call_id = c.id AND l.kind = 'sent' JOIN calls f ON f.id = l.from_call_id
WHERE c.run_id = :run AND c.socket_id = :socket AND f.duration_ns IS NOT NULL AND f.result > 0 ORDER BY at_ns, f.id;
