-- Processes of a run.
SELECT id, pid, command, started_ns, ended_ns FROM processes WHERE run_id = :run ORDER BY id;
