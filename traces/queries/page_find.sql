-- Calls of a run of some operations, outcomes and sockets, and whether a text is among the words of each: those ids that it is in are given.
SELECT CAST(c.id AS INTEGER) AS id, c.operation_id, c.outcome_id, CAST(c.duration_ns AS INTEGER) AS duration_ns,
  CAST(c.result AS INTEGER) AS result, CAST(c.timeout_ns AS INTEGER) AS timeout_ns,
  (c.operation_id IN (SELECT value FROM json_each(:in_operations)) OR ifnull(c.outcome_id, 0) IN (SELECT value FROM json_each(:in_outcomes))
    OR ifnull(c.socket_id, 0) IN (SELECT value FROM json_each(:in_sockets)) OR c.thread_id IN (SELECT value FROM json_each(:in_threads))
    OR ifnull(c.site_id, 0) IN (SELECT value FROM json_each(:in_sites)) OR ifnull(c.peer_id, 0) IN (SELECT value FROM json_each(:in_peers))
    OR ifnull(c.errno, 0) IN (SELECT value FROM json_each(:in_errnos)) OR c.id IN (SELECT value FROM json_each(:in_calls))) AS said
FROM calls c
WHERE c.run_id = :run AND c.id BETWEEN :first AND :last
  AND (:operations IS NULL OR c.operation_id IN (SELECT value FROM json_each(:operations)))
  AND (:outcomes IS NULL OR ifnull(c.outcome_id, 0) IN (SELECT value FROM json_each(:outcomes)))
  AND (:sockets IS NULL OR ifnull(c.socket_id, 0) IN (SELECT value FROM json_each(:sockets)))
  AND (:everything OR said)
ORDER BY c.id;
