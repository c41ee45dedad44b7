-- How long each thread of a run was on a processor, and ready but without one, up to the last look at it.
SELECT CAST(thread_id AS INTEGER) AS thread_id, CAST(max(run_ns) AS INTEGER) AS run_ns, CAST(max(delay_ns) AS INTEGER) AS delay_ns
FROM samples WHERE run_id = :run AND thread_id IS NOT NULL GROUP BY thread_id;
