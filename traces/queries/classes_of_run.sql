-- Short calls of a run and their time, per thread and class.
SELECT CAST(thread_id AS INTEGER) AS thread_id, class, CAST(sum(calls) AS INTEGER) AS calls, CAST(sum(ns) AS INTEGER) AS ns
FROM levels WHERE run_id = :run AND level = 7 AND socket_id = 0 GROUP BY thread_id, class;
