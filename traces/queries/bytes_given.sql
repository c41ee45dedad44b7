-- Per direction of a stream, in order: calls that gave bytes to the kernel, and those of which nobody knows how many they moved.
SELECT e.gives AS direction, c.id, c.started_ns, c.started_ns + c.duration_ns AS ended_ns,
  CASE WHEN w.way = 'send' AND c.outcome_id = 2 THEN c.result END AS bytes,
  coalesce(c.flags, 0) AS flags, NULL AS ready_ns, coalesce(substr(b.data, 1, 16), x'') AS data
FROM calls c
JOIN temp.ends e ON e.socket_id = c.socket_id
JOIN temp.ways w ON w.operation_id = c.operation_id
LEFT JOIN calls above ON above.id = c.parent_id
LEFT JOIN temp.ways around ON around.operation_id = above.operation_id
LEFT JOIN payloads b ON b.call_id = c.id
WHERE c.run_id = :run AND w.way IN ('send', 'unclear') AND around.way IS NOT 'send'
  -- A failed send moved nothing; of what tries again until all is sent nobody knows.
  AND (c.outcome_id = 2 AND c.result > 0 OR w.way = 'unclear'
    OR (c.outcome_id IS NOT 2 AND c.operation_id IN (SELECT id FROM operations WHERE name IN ('sendall', 'sendfile'))))
ORDER BY e.gives, c.started_ns, c.id;
