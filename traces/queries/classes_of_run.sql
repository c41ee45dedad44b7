-- Short calls of a run and their time, per class.
SELECT class, CAST(sum(calls) AS INTEGER) AS calls, CAST(sum(ns) AS INTEGER) AS ns
FROM levels WHERE run_id = :run AND level = 7 AND socket_id = 0 GROUP BY class;
