-- Signals that cannot be: times before the run or backwards, and calls that another thread made.
SELECT count(*) FILTER (WHERE g.started_ns < 0 OR g.ended_ns < g.started_ns) AS backwards,
  count(*) FILTER (WHERE c.id IS NOT NULL AND c.thread_id IS NOT g.thread_id) AS elsewhere
FROM signals g LEFT JOIN calls c ON c.id = g.during_call_id WHERE g.run_id = :run;
