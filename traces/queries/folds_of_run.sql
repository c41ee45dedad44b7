-- Stretches of spins of a run whose calls were counted, not kept, that touch a window of time.
SELECT f.thread_id, p.socket_id, p.operation_id, p.site_id, CAST(f.first_ns AS INTEGER) AS first_ns, CAST(f.last_ns AS INTEGER) AS last_ns,
  CAST(p.calls AS INTEGER) AS calls, CAST(p.in_calls_ns AS INTEGER) AS in_calls_ns
FROM folds f JOIN fold_parts p ON p.fold_id = f.id JOIN threads t ON t.id = f.thread_id JOIN processes r ON r.id = t.process_id
WHERE r.run_id = :run AND f.first_ns < :end AND f.last_ns >= :start ORDER BY f.first_ns, f.id;
