-- The calls of a run that were counted, not kept, per thread and operation. Only a fold's longest
-- call is known: where that took 8 ms or more, not all of its calls need to stand in levels.
SELECT CAST(f.thread_id AS INTEGER) AS thread_id, CAST(o.name AS TEXT) AS operation, CAST(t.process_id AS INTEGER) AS process_id,
  sum(CAST(q.calls AS INTEGER)) AS calls, sum(CAST(q.in_calls_ns AS INTEGER)) AS total_ns,
  sum(q.max_ns >= 8000000) AS with_long_calls
FROM folds f
JOIN fold_parts q ON q.fold_id = f.id
JOIN threads t ON t.id = f.thread_id
JOIN processes p ON p.id = t.process_id
LEFT JOIN operations o ON o.id = q.operation_id
WHERE p.run_id = :run
GROUP BY f.thread_id, q.operation_id;
