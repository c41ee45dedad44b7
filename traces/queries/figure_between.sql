-- Calls of a thread between two of its calls: on other sockets, and waits that found other sockets ready.
SELECT count(*) FILTER (WHERE c.socket_id IS NOT :socket AND o.layer <> 'wait' AND c.outcome_id IS NOT 1) AS others,
  count(*) FILTER (WHERE o.layer = 'wait' AND c.result > 0) AS waits
FROM calls c JOIN operations o ON o.id = c.operation_id
WHERE c.id > :first AND c.id < :last AND c.run_id = :run AND c.thread_id = :thread;
