-- Calls of a run in a window of time, as recorded one after the other: of some operations, outcomes, sockets, threads, or of all (NULL).
SELECT CAST(c.id AS INTEGER) AS id, CAST(c.thread_id AS INTEGER) AS thread_id, CAST(c.socket_id AS INTEGER) AS socket_id,
  c.operation_id, c.outcome_id, CAST(c.started_ns AS INTEGER) AS started_ns, CAST(c.duration_ns AS INTEGER) AS duration_ns,
  CAST(c.asked AS INTEGER) AS asked, CAST(c.result AS INTEGER) AS result, CAST(c.errno AS INTEGER) AS errno,
  CAST(c.timeout_ns AS INTEGER) AS timeout_ns, c.peer_id, c.parent_id, c.site_id, CAST(c.ready_ns AS INTEGER) AS ready_ns,
  CAST(c.flags AS INTEGER) AS flags
FROM calls c
WHERE c.id BETWEEN :first AND :last AND c.run_id = :run AND c.started_ns < :end
  AND (c.duration_ns IS NULL OR c.started_ns + c.duration_ns > :start OR c.started_ns >= :start)
  AND (:operations IS NULL OR c.operation_id IN (SELECT id FROM operations WHERE name IN (SELECT value FROM json_each(:operations))))
  AND (:outcomes IS NULL OR c.outcome_id IN (SELECT id FROM outcomes WHERE name IN (SELECT value FROM json_each(:outcomes))))
  AND (:sockets IS NULL OR c.socket_id IN (SELECT value FROM json_each(:sockets)))
  AND (:threads IS NULL OR c.thread_id IN (SELECT value FROM json_each(:threads)))
ORDER BY c.id;
