-- Calls of a run that only one model makes: arming a signal, submitting to a ring.
SELECT c.id, c.thread_id, c.socket_id, o.name AS operation, o.layer, c.asked, c.flags
FROM calls c JOIN operations o ON o.id = c.operation_id
WHERE c.run_id = :run AND c.operation_id IN (SELECT id FROM operations WHERE layer = 'ring' OR name = 'fcntl')
LIMIT :most;
