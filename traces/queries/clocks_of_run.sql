-- All pairs of the run's time and the machine's realtime.
SELECT CAST(at_ns AS INTEGER) AS at_ns, CAST(realtime_ns AS INTEGER) AS realtime_ns FROM clocks WHERE run_id = :run ORDER BY at_ns;
