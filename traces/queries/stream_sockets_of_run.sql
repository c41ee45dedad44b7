-- The ends of byte streams of a run, and the sockets that are copies of them: what it takes to find who talked to whom.
SELECT s.id, s.kind, s.role, s.local, s.peer, s.origin, s.origin_id, s.pair_id, s.opened_ns
FROM sockets s JOIN processes p ON p.id = s.process_id
WHERE p.run_id = :run AND s.type = 'SOCK_STREAM' AND s.kind IN ('tcp', 'unix') AND s.role IN ('accepted', 'connected', 'pair')
ORDER BY s.opened_ns, s.id;
