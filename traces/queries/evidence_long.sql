-- The calls of 8 ms and more, and the unfinished ones, by thread, socket, operation and whether they could wait.
SELECT thread_id, socket_id, operation_id, outcome_id,
  CASE WHEN timeout_ns IS NULL THEN 'forever' WHEN timeout_ns = 0 THEN 'never' ELSE 'limited' END AS waits,
  count(*) AS calls, sum(coalesce(duration_ns, 0)) AS ns, min(id) AS first_id, max(timeout_ns) AS timeout_ns
FROM calls INDEXED BY calls_long
WHERE run_id = :run AND (duration_ns >= 8000000 OR duration_ns IS NULL) AND started_ns >= 0
GROUP BY thread_id, socket_id, operation_id, outcome_id, waits;
