-- The same moment on the run's clock and on the wall clock: the first that was noted.
SELECT CAST(at_ns AS INTEGER) AS at_ns, CAST(realtime_ns AS INTEGER) AS realtime_ns FROM clocks WHERE run_id = :run ORDER BY at_ns LIMIT 1;
