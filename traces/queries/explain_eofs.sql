-- Sockets on which the end of the stream was read more than once.
SELECT socket_id, count(*) AS times, min(id) AS first_id, max(id) AS last_id, min(started_ns) AS first_ns, max(started_ns) AS last_ns,
  sum(duration_ns) AS ns, min(site_id) AS site_id
FROM calls
WHERE run_id = :run AND outcome_id <> 1 AND (outcome_id <> 5 OR ifnull(timeout_ns, 1) <> 0)
  AND socket_id IS NOT NULL AND outcome_id = (SELECT id FROM outcomes WHERE name = 'eof')
GROUP BY socket_id HAVING count(*) >= :least ORDER BY times DESC, socket_id LIMIT :most;
