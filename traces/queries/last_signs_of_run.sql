-- The latest moment at which each process of a run is known to have lived, from its calls.
SELECT t.process_id, max(c.started_ns + ifnull(c.duration_ns, 0)) FROM calls c JOIN threads t ON t.id = c.thread_id
WHERE c.run_id = :run GROUP BY 1;
