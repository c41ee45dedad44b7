-- Sockets on which the program itself said whether calls may wait.
SELECT DISTINCT socket_id FROM calls
WHERE run_id = :run AND operation_id IN (SELECT id FROM operations WHERE name IN ('setblocking', 'settimeout'));
