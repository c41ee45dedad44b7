-- Connections: who, from when to when, bytes each way, calls, how they ended.
SELECT coalesce(r.label, 'run ' || r.id) AS run, n.fd, n.peer, round(n.opened_ns / 1e9, 6) AS opened_s, round(n.closed_ns / 1e9, 6) AS closed_s,
  n.closed_by, n.calls, n.fruitless, n.received_bytes, n.sent_bytes, n.eofs, n.resets
FROM connections n JOIN runs r ON r.id = n.run_id
WHERE :run IS NULL OR n.run_id = :run
ORDER BY n.run_id, n.opened_ns, n.socket_id;
