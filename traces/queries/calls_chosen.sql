-- Some calls of a run, by their ids.
SELECT CAST(c.id AS INTEGER) AS id, CAST(c.thread_id AS INTEGER) AS thread_id, CAST(c.socket_id AS INTEGER) AS socket_id,
  c.operation_id, c.outcome_id, CAST(c.started_ns AS INTEGER) AS started_ns, CAST(c.duration_ns AS INTEGER) AS duration_ns,
  CAST(c.asked AS INTEGER) AS asked, CAST(c.result AS INTEGER) AS result, CAST(c.errno AS INTEGER) AS errno,
  CAST(c.timeout_ns AS INTEGER) AS timeout_ns, c.peer_id, c.parent_id, c.site_id, CAST(c.ready_ns AS INTEGER) AS ready_ns,
  CAST(c.flags AS INTEGER) AS flags
FROM calls c WHERE c.id IN (SELECT value FROM json_each(:calls)) AND c.run_id = :run;
