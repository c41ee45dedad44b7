-- Sockets that waits reported as writable, and how often. POLLOUT is 4.
SELECT r.socket_id, sum((r.events & 4) != 0) AS writable, sum((r.events & 3) != 0) AS readable, min(r.call_id) AS first_id, max(r.call_id) AS last_id
FROM (SELECT call_id, socket_id, events FROM readiness WHERE events IS NOT NULL LIMIT :reports) r
WHERE r.call_id BETWEEN :first AND :last
GROUP BY r.socket_id HAVING writable >= :least ORDER BY writable DESC LIMIT :most;
