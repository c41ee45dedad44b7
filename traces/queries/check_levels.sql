-- What the recorder summed up per thread of a run in the coarsest level, which holds every short call.
SELECT CAST(thread_id AS INTEGER) AS thread_id, CAST(sum(calls) AS INTEGER) AS calls, CAST(sum(ns) AS INTEGER) AS ns
FROM levels WHERE run_id = :run AND level = 7 AND socket_id = 0 GROUP BY thread_id;
