-- The last calls of the program's main thread, the last one first; `before`: whether one from the same place had come to the same earlier.
SELECT c.id, c.socket_id, c.site_id, o.name AS operation, u.name AS outcome, c.errno, c.duration_ns,
  EXISTS(SELECT 1 FROM calls e WHERE e.run_id = :run AND e.id < c.id AND e.site_id IS c.site_id AND e.thread_id = c.thread_id
         AND e.outcome_id IS c.outcome_id) AS before
FROM (SELECT * FROM calls WHERE run_id = :run AND parent_id IS NULL
      AND thread_id = (SELECT min(t.id) FROM threads t JOIN processes p ON p.id = t.process_id
                       WHERE p.run_id = :run AND p.started_by = 'main' AND (t.name = 'MainThread' OR t.name IS NULL))
      ORDER BY id DESC LIMIT :most) c
JOIN operations o ON o.id = c.operation_id LEFT JOIN outcomes u ON u.id = c.outcome_id
ORDER BY c.id DESC;
