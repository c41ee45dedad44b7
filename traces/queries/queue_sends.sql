-- Sends of the run that are known to have been read from a socket, with the latest moment at which each had arrived: its return, or the first receive that it went into.
SELECT f.id, CAST(min(f.started_ns + ifnull(f.duration_ns, 9e18), ifnull(min(c.ready_ns), 9e18), min(c.started_ns + ifnull(c.duration_ns, 9e18))) AS INTEGER) AS at_ns,
  CAST(f.result AS INTEGER) AS bytes
FROM calls c JOIN links l ON l.to_call_id = c.id AND l.kind = 'sent' JOIN calls f ON f.id = l.from_call_id
WHERE c.run_id = :run AND c.socket_id = :socket AND f.result > 0
GROUP BY f.id ORDER BY at_ns, f.id;
