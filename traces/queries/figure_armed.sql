-- The last fcntl before a call that asked for a signal on its socket. F_SETFL is 4, O_ASYNC 8192.
SELECT max(c.id) AS id FROM calls c
WHERE c.id < :call AND c.run_id = :run AND c.socket_id = :socket AND c.flags = 4 AND c.asked & 8192
  AND c.operation_id = (SELECT id FROM operations WHERE name = 'fcntl');
