-- The same as short_calls_of_run, of calls that were not fruitless (by the index calls_not_fruitless, where the trace has it).
SELECT CAST(c.thread_id AS INTEGER) AS thread_id, CAST(c.socket_id AS INTEGER) AS socket_id, c.operation_id, c.outcome_id,
  CAST(c.started_ns AS INTEGER) AS started_ns, CAST(c.duration_ns AS INTEGER) AS duration_ns,
  CAST(c.result AS INTEGER) AS result, CAST(c.timeout_ns AS INTEGER) AS timeout_ns
FROM calls c
WHERE c.id BETWEEN :first AND :last AND c.run_id = :run
  AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND CASE WHEN :every THEN 1 WHEN c.socket_id IN (SELECT value FROM json_each(:sockets)) THEN 1
    ELSE c.thread_id IN (SELECT value FROM json_each(:threads)) END
  AND c.duration_ns < 8000000 AND c.started_ns < :end AND (c.started_ns + c.duration_ns > :start OR c.started_ns >= :start)
  AND NOT ifnull(c.timeout_ns = 0 AND ifnull(c.result, 0) = 0 AND c.operation_id IN (SELECT id FROM operations WHERE layer = 'wait'), 0)
  AND NOT (c.outcome_id IN (6, 7) AND c.operation_id IN (SELECT id FROM operations WHERE name IN ('tls_recv', 'tls_send')));
