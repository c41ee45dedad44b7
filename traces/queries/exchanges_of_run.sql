-- What the clients of a workload asked and got, with the server's thread that took it up.
SELECT CAST(x.client AS TEXT) AS client, CAST(x.n AS INTEGER) AS n, x.socket_id, CAST(x.local_port AS INTEGER) AS local_port,
  CAST(x.connected_ns AS INTEGER) AS connected_ns, CAST(x.sent_ns AS INTEGER) AS sent_ns, CAST(x.answered_ns AS INTEGER) AS answered_ns,
  CAST(x.sent_bytes AS INTEGER) AS sent_bytes, CAST(x.answered_bytes AS INTEGER) AS answered_bytes, CAST(x.result AS TEXT) AS result,
  c.thread_id, CAST(c.started_ns + c.duration_ns AS INTEGER) AS taken_ns
FROM exchanges x LEFT JOIN calls c ON c.id = x.first_call_id
WHERE x.run_id = :run ORDER BY x.client, x.n;
