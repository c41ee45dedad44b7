-- A run's folded calls, in the order of time: process, thread, socket (0: none), operation, from, to, calls, time, shortest, longest.
SELECT t.process_id, d.thread_id, ifnull(f.socket_id, 0), f.operation_id, d.first_ns, d.last_ns, f.calls, f.in_calls_ns, f.min_ns, f.max_ns
FROM folds d JOIN fold_parts f ON f.fold_id = d.id JOIN threads t ON t.id = d.thread_id JOIN processes p ON p.id = t.process_id
WHERE p.run_id = :run ORDER BY d.first_ns;
