-- The last wait of a thread before a call that reported its socket.
SELECT max(r.call_id) AS id FROM readiness r JOIN calls c ON c.id = r.call_id
WHERE r.socket_id = :socket AND r.events IS NOT NULL AND r.call_id < :call AND c.thread_id = :thread;
