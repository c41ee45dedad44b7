-- Per direction of a stream, in order: receives that took bytes from the kernel, and calls of which nobody knows how many.
SELECT e.takes AS direction, c.id, c.started_ns, c.started_ns + c.duration_ns AS ended_ns,
  CASE WHEN w.way = 'receive' THEN c.result END AS bytes,
  coalesce(c.flags, 0) AS flags, c.ready_ns, coalesce(substr(b.data, 1, 16), x'') AS data
FROM calls c
JOIN temp.ends e ON e.socket_id = c.socket_id
JOIN temp.ways w ON w.operation_id = c.operation_id
LEFT JOIN payloads b ON b.call_id = c.id
WHERE c.run_id = :run AND (w.way = 'receive' AND c.outcome_id = 2 AND c.result > 0 OR w.way = 'unclear')
ORDER BY e.takes, c.started_ns + c.duration_ns, c.id;
