-- Segments and datagrams with data that came to a socket, as captured.
SELECT CAST(p.at_ns AS INTEGER) AS at_ns, CAST(p.seq AS INTEGER) AS seq, CAST(p.payload_bytes AS INTEGER) AS bytes
FROM packets p JOIN sockets s ON s.id = :socket
WHERE p.run_id = :run AND p.payload_bytes > 0 AND p.destination = s.local AND (s.peer IS NULL OR p.source = s.peer)
  AND p.at_ns BETWEEN :start AND :end
ORDER BY p.at_ns, p.id;
