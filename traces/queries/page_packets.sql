-- Packets of the connections of a run in a window of time: when, how many bytes, its flags, and whether the program's side sent it.
SELECT p.id, CAST(p.at_ns AS INTEGER) AS at_ns, p.socket_id, CAST(p.payload_bytes AS INTEGER) AS payload_bytes, CAST(p.flags AS TEXT) AS flags,
  (p.source = s.local OR p.destination = s.peer) IS TRUE AS sent
FROM packets p JOIN sockets s ON s.id = p.socket_id
WHERE p.run_id = :run AND p.at_ns >= :start AND p.at_ns < :end ORDER BY p.at_ns, p.id LIMIT :most;
