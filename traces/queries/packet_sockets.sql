-- The TCP and UDP sockets of a run, with what they are copies of.
SELECT s.id, s.kind, s.role, s.local, s.peer, s.origin, s.origin_id, s.opened_ns, s.closed_ns
FROM sockets s JOIN processes p ON p.id = s.process_id
WHERE p.run_id = :run AND s.kind IN ('tcp', 'udp') ORDER BY s.opened_ns, s.id;
