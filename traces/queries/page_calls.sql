-- Calls of a run between two ids that touch a window of time, in the order of their start, with all that is known of each.
SELECT CAST(c.id AS INTEGER), CAST(c.thread_id AS INTEGER), CAST(ifnull(c.socket_id, 0) AS INTEGER), c.operation_id, c.outcome_id,
  CAST(c.started_ns AS INTEGER), CAST(c.duration_ns AS INTEGER), CAST(c.asked AS INTEGER), CAST(c.result AS INTEGER),
  CAST(c.errno AS INTEGER), CAST(c.flags AS INTEGER), CAST(c.timeout_ns AS INTEGER), c.peer_id, CAST(c.parent_id AS INTEGER), c.site_id,
  CAST(c.ready_ns AS INTEGER), CAST(c.ready_source AS TEXT)
FROM calls c
WHERE c.id BETWEEN :first AND :last AND c.run_id = :run AND c.started_ns < :end
  AND (c.duration_ns IS NULL OR c.started_ns + c.duration_ns > :start OR c.started_ns >= :start)
  AND (:every OR c.thread_id IN (SELECT value FROM json_each(:threads)))
ORDER BY c.started_ns, c.id;
