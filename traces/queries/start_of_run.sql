-- The clock of this machine at a run's start, and the latest moment that the run is known to have reached.
SELECT (SELECT monotonic_ns - at_ns FROM clocks WHERE run_id = :run ORDER BY at_ns LIMIT 1),
  max(ifnull((SELECT max(at_ns) FROM clocks WHERE run_id = :run), 0),
    ifnull((SELECT max(max(ifnull(started_ns, 0), ifnull(ended_ns, 0))) FROM processes WHERE run_id = :run), 0));
