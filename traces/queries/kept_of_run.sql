-- How many calls of a run are in the file, folded ones included.
SELECT (SELECT count(*) FROM calls WHERE run_id = :run) + (
  SELECT ifnull(sum(f.calls), 0) FROM fold_parts f JOIN folds d ON d.id = f.fold_id JOIN threads t ON t.id = d.thread_id
  JOIN processes p ON p.id = t.process_id WHERE p.run_id = :run);
