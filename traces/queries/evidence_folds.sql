-- The stretches of folded calls of one thread, by the moment at which they began: time outside of calls, calls, and how many kinds of calls.
SELECT f.first_ns, CAST(f.last_ns - f.first_ns - sum(p.in_calls_ns) AS INTEGER) AS outside_ns, CAST(sum(p.calls) AS INTEGER) AS calls,
  count(*) AS kinds
FROM folds f JOIN fold_parts p ON p.fold_id = f.id WHERE f.thread_id = :thread GROUP BY f.id ORDER BY f.first_ns LIMIT :most;
