-- Requests of a run as the server's own calls show them, per connection.
SELECT q.socket_id, CAST(q.n AS INTEGER) AS n, CAST(q.first_receive_ns AS INTEGER) AS first_receive_ns,
  CAST(q.received_ns AS INTEGER) AS received_ns, CAST(q.answered_ns AS INTEGER) AS answered_ns,
  CAST(q.received_bytes AS INTEGER) AS received_bytes, CAST(q.sent_bytes AS INTEGER) AS sent_bytes, c.thread_id,
  CAST(c.started_ns AS INTEGER) AS started_ns, CAST(c.duration_ns AS INTEGER) AS duration_ns,
  CAST(c.ready_ns AS INTEGER) AS ready_ns, s.role
FROM requests q JOIN sockets s ON s.id = q.socket_id LEFT JOIN calls c ON c.id = q.first_call_id
WHERE q.run_id = :run ORDER BY s.opened_ns, q.socket_id, q.n;
