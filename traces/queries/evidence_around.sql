-- Calls of one thread from one call on, in the order of the tape.
SELECT id, outcome_id, timeout_ns, started_ns, duration_ns FROM calls
WHERE run_id = :run AND id BETWEEN :first AND :first + 200000 AND thread_id = :thread ORDER BY id LIMIT :most;
