-- Sockets of a run of which it is known what came to them: by captured packets, or by the sends of a recorded peer.
SELECT DISTINCT socket_id FROM packets WHERE run_id = :run AND socket_id IS NOT NULL AND payload_bytes > 0
UNION
SELECT DISTINCT c.socket_id FROM links l JOIN calls c ON c.id = l.to_call_id WHERE l.kind = 'sent' AND c.run_id = :run AND c.socket_id IS NOT NULL;
