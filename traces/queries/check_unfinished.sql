-- Unfinished calls of a run, by thread.
SELECT id, CAST(thread_id AS INTEGER) AS thread_id, CAST(started_ns AS INTEGER) AS started_ns FROM calls
WHERE run_id = :run AND (duration_ns >= 8000000 OR duration_ns IS NULL) AND duration_ns IS NULL AND parent_id IS NULL ORDER BY id;
