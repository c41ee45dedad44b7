-- How often something was sent on some sockets.
SELECT socket_id, count(*) AS sends FROM calls
WHERE run_id = :run AND socket_id IN (SELECT value FROM json_each(:sockets))
  AND operation_id IN (SELECT id FROM operations WHERE name LIKE 'send%' OR name LIKE 'tls_send%' OR name IN ('write', 'writev', 'connect', 'connect_ex', 'do_handshake'))
GROUP BY socket_id;
