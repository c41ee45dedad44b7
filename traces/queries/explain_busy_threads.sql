-- How long each thread stood still in calls on sockets that were accepted, in calls of 8 ms and more, and on how many of them.
SELECT c.thread_id, sum(coalesce(c.duration_ns, :end - c.started_ns)) AS ns, count(DISTINCT c.socket_id) AS sockets, min(c.id) AS first_id,
  min(s.opened_ns) AS opened_ns, max(coalesce(s.closed_ns, :end)) AS closed_ns
FROM calls c INDEXED BY calls_long JOIN sockets s ON s.id = c.socket_id
WHERE c.run_id = :run AND (c.duration_ns >= 8000000 OR c.duration_ns IS NULL) AND c.started_ns >= 0 AND s.role = 'accepted'
  AND (c.timeout_ns IS NULL OR c.timeout_ns > 0)
GROUP BY c.thread_id;
