-- Which sockets were watched, how, and for what: every registration, and reports of the first waits.
SELECT r.socket_id, c.operation_id, p.kind AS poller, max(coalesce(r.interest, 0) & 0x80000000) != 0 AS edge,
  max(coalesce(r.interest, 0) & 0x40000000) != 0 AS oneshot, count(*) AS times, min(r.call_id) AS first_id
FROM (
  SELECT call_id, socket_id, interest FROM readiness WHERE interest IS NOT NULL
  UNION ALL
  SELECT call_id, socket_id, interest FROM (SELECT * FROM readiness WHERE interest IS NULL LIMIT :most)
) r
JOIN calls c ON c.id = r.call_id
LEFT JOIN sockets p ON p.id = c.socket_id
WHERE c.run_id = :run
GROUP BY r.socket_id, c.operation_id, p.kind;
