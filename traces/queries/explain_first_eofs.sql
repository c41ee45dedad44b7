-- When the end of the stream was first read on each socket that was never closed by the program.
SELECT c.socket_id, min(c.id) AS call_id, min(c.started_ns + c.duration_ns) AS at_ns
FROM calls c JOIN sockets s ON s.id = c.socket_id
WHERE c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND c.outcome_id = (SELECT id FROM outcomes WHERE name = 'eof') AND s.role IN ('accepted', 'connected')
  AND (s.closed_by IS NULL OR s.closed_by IN ('exit', 'collected'))
GROUP BY c.socket_id ORDER BY at_ns LIMIT :most;
