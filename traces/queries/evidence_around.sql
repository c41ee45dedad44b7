-- Calls of one thread from one call on, in the order of the tape, each with when the newest stretch of folded calls before it began.
SELECT id, outcome_id, timeout_ns, started_ns, duration_ns,
  (SELECT f.first_ns FROM folds f WHERE f.thread_id = :thread AND f.first_ns < c.started_ns ORDER BY f.first_ns DESC LIMIT 1) AS folded_ns
FROM calls c
WHERE run_id = :run AND id BETWEEN :first AND :first + 200000 AND thread_id = :thread ORDER BY id LIMIT :most;
