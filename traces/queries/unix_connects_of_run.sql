-- Connects of UNIX stream sockets that succeeded: such ends have no address of their own, only an order.
SELECT c.socket_id, c.started_ns, c.started_ns + c.duration_ns AS ended_ns
FROM calls c JOIN sockets s ON s.id = c.socket_id
WHERE c.run_id = :run AND c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0)
  AND s.kind = 'unix' AND s.type = 'SOCK_STREAM' AND s.role = 'connected' AND c.outcome_id = 2
  AND c.operation_id IN (SELECT id FROM operations WHERE name IN ('connect', 'connect_ex'))
ORDER BY c.started_ns, c.id;
