-- Sends of the run that are known to have been read from a socket, with the latest moment at which each had arrived: its return, or the first receive that it went into.
SELECT c.socket_id, f.id, CAST(min(f.started_ns + ifnull(f.duration_ns, 9e18), ifnull(min(c.ready_ns), 9e18), min(c.started_ns + ifnull(c.duration_ns, 9e18))) AS INTEGER) AS at_ns,
  CAST(f.result AS INTEGER) AS bytes
FROM links l JOIN calls c ON c.id = l.to_call_id JOIN calls f ON f.id = l.from_call_id
WHERE l.kind = 'sent' AND c.run_id = :run AND c.socket_id IS NOT NULL AND f.result > 0
GROUP BY c.socket_id, f.id ORDER BY at_ns, f.id;
