-- A run's calls between two ids, as numbers: what is NULL because it does not apply is below 0, or 0 for a socket or a parent.
SELECT c.id, t.process_id, c.thread_id, ifnull(c.socket_id, 0), c.operation_id, c.outcome_id, c.started_ns, c.duration_ns,
  ifnull(c.timeout_ns, -1), ifnull(c.result, -1), ifnull(c.parent_id, 0)
FROM calls c JOIN threads t ON t.id = c.thread_id
WHERE c.id BETWEEN :first AND :last AND c.run_id = :run ORDER BY c.id;
