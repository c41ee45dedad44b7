-- The first calls of a run whose counts per thread and socket are missing.
SELECT id, thread_id, socket_id, operation_id, outcome_id, timeout_ns, asked, flags, started_ns, duration_ns
FROM calls WHERE run_id = :run AND socket_id IS NOT NULL ORDER BY id LIMIT :most;
