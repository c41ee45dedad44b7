-- How many calls of a run touch a window of time, counted up to a limit.
SELECT count(*) AS calls FROM (
  SELECT 1 FROM calls c WHERE c.run_id = :run AND c.started_ns < :end
    AND (c.duration_ns IS NULL OR c.started_ns + c.duration_ns > :start OR c.started_ns >= :start)
  LIMIT :most);
