-- Requests as the server's own calls show them: when each came in, how long until its answer had left.
SELECT coalesce(r.label, 'run ' || r.id) AS run, s.peer, q.n, round(q.first_receive_ns / 1e9, 6) AS at_s,
  round((q.answered_ns - q.received_ns) / 1e6, 3) AS answer_ms, q.received_bytes, q.sent_bytes, q.first_call_id, q.last_call_id
FROM requests q JOIN runs r ON r.id = q.run_id JOIN sockets s ON s.id = q.socket_id
WHERE :run IS NULL OR q.run_id = :run
ORDER BY q.run_id, q.first_receive_ns, q.first_call_id;
