-- Some calls of a run by their ids, in the order of their start, with all that is known of each.
SELECT CAST(c.id AS INTEGER), CAST(c.thread_id AS INTEGER), CAST(ifnull(c.socket_id, 0) AS INTEGER), c.operation_id, c.outcome_id,
  CAST(c.started_ns AS INTEGER), CAST(c.duration_ns AS INTEGER), CAST(c.asked AS INTEGER), CAST(c.result AS INTEGER),
  CAST(c.errno AS INTEGER), CAST(c.flags AS INTEGER), CAST(c.timeout_ns AS INTEGER), c.peer_id, CAST(c.parent_id AS INTEGER), c.site_id,
  CAST(c.ready_ns AS INTEGER), CAST(c.ready_source AS TEXT)
FROM json_each(:calls) j CROSS JOIN calls c ON c.id = j.value
WHERE c.run_id = :run
ORDER BY c.started_ns, c.id;
