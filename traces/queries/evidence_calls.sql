-- Some calls by id, as far as they show how a socket is used.
SELECT id, thread_id, socket_id, operation_id, outcome_id, timeout_ns, asked, flags, started_ns, duration_ns
FROM calls WHERE run_id = :run AND id IN (SELECT value FROM json_each(:calls));
