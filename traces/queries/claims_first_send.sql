-- When the first send of a run began, after a moment.
SELECT CAST(min(c.started_ns) AS INTEGER) AS started_ns FROM calls c JOIN operations o ON o.id = c.operation_id
WHERE c.run_id = :run AND c.started_ns > :after AND o.name IN ('send', 'sendall');
