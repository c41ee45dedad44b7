-- Calls on sockets that were watched by the edge, and the waits between them, in the order of the tape.
SELECT c.id, c.thread_id, c.socket_id, o.name AS operation, o.layer, u.name AS outcome, c.asked, c.result, c.started_ns, c.site_id
FROM calls c JOIN operations o ON o.id = c.operation_id LEFT JOIN outcomes u ON u.id = c.outcome_id
WHERE c.run_id = :run AND (o.name = 'epoll_wait' OR c.socket_id IN (SELECT value FROM json_each(:sockets)))
ORDER BY c.id LIMIT :most;
