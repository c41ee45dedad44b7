-- How many calls of a run started in a stretch of time, folded ones included.
SELECT (SELECT count(*) FROM calls c WHERE c.run_id = :run AND c.id >= (
    SELECT coalesce(min(first_call_id), 0) FROM levels WHERE run_id = :run AND level = 7 AND socket_id = 0)
    AND c.started_ns BETWEEN :start AND :end)
  + (SELECT coalesce(sum(CAST(q.calls AS INTEGER)), 0) FROM processes p JOIN threads t ON t.process_id = p.id
     JOIN folds f ON f.thread_id = t.id AND f.first_ns BETWEEN :start AND :end JOIN fold_parts q ON q.fold_id = f.id
     WHERE p.run_id = :run) AS calls;
