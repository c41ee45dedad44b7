-- Views for people: the trace in words. They hold nothing of their own and can be made again.

-- One line per call, in words.
CREATE VIEW call_log AS
SELECT
  c.id,
  c.run_id,
  r.label AS run,
  c.started_ns / 1e9 AS at_s,
  p.pid,
  t.name AS thread,
  c.socket_id,
  s.fd,
  s.role,
  s.peer AS connection_peer,
  o.name AS operation,
  coalesce(u.name, 'unfinished') AS outcome,
  c.duration_ns / 1e3 AS duration_us,
  c.asked,
  c.result,
  c.errno,
  c.flags,
  c.timeout_ns,
  a.text AS peer,
  f.file,
  f.line,
  f.function,
  f.code,
  c.parent_id,
  printf('%.6f s  %s  %s%s -> %s%s%s%s',
    c.started_ns / 1e9,
    coalesce(t.name, 'thread ' || c.thread_id),
    o.name,
    coalesce('(fd ' || s.fd || ')', ''),
    coalesce(u.name, 'unfinished'),
    CASE
      WHEN o.name IN ('accept', 'ring_accept') AND u.name = 'ok' THEN ' socket ' || c.result
      WHEN o.layer = 'wait' AND c.result IS NOT NULL THEN ' ' || c.result || ' ready'
      WHEN c.result IS NOT NULL AND o.name NOT IN
        ('bind', 'listen', 'connect', 'close', 'shutdown', 'setblocking', 'settimeout', 'setsockopt')
        AND (o.layer <> 'ring' OR o.name IN ('ring_recv', 'ring_send'))
        THEN ' ' || c.result || ' bytes'
      ELSE '' END,
    CASE WHEN c.duration_ns IS NULL THEN '' ELSE printf(' after %.1f us', c.duration_ns / 1e3) END,
    coalesce('  ' || f.file || ':' || f.line, '')) AS words
FROM calls c
JOIN runs r ON r.id = c.run_id
JOIN operations o ON o.id = c.operation_id
LEFT JOIN outcomes u ON u.id = c.outcome_id
LEFT JOIN threads t ON t.id = c.thread_id
LEFT JOIN processes p ON p.id = t.process_id
LEFT JOIN sockets s ON s.id = c.socket_id
LEFT JOIN addresses a ON a.id = c.peer_id
LEFT JOIN sites f ON f.id = c.site_id;

-- Consecutive fruitless calls of one thread, folded ones included.
CREATE VIEW spins AS
WITH marked AS (
  SELECT c.run_id, c.thread_id, c.id, c.started_ns, c.duration_ns,
    (c.outcome_id = 1 OR (o.layer = 'wait' AND c.timeout_ns = 0 AND c.result = 0)
      OR (c.outcome_id IN (6, 7) AND o.name IN ('tls_recv', 'tls_send'))) IS TRUE AS fruitless,
    row_number() OVER (PARTITION BY c.thread_id ORDER BY c.id) AS position
  FROM calls c JOIN operations o ON o.id = c.operation_id
),
islands AS (
  SELECT *, position - row_number() OVER (PARTITION BY thread_id ORDER BY id) AS island
  FROM marked WHERE fruitless
),
kept AS (
  SELECT run_id, thread_id, min(id) AS first_call_id, max(id) AS last_call_id, count(*) AS calls, min(started_ns) AS started_ns,
    max(started_ns + duration_ns) AS ended_ns, sum(duration_ns) AS in_calls_ns
  FROM islands GROUP BY run_id, thread_id, island
),
folded AS (
  SELECT k.first_call_id, sum(p.calls) AS calls, sum(p.in_calls_ns) AS in_calls_ns
  FROM kept k
  JOIN folds f ON f.thread_id = k.thread_id AND f.first_ns BETWEEN k.started_ns AND k.ended_ns
  JOIN fold_parts p ON p.fold_id = f.id
  GROUP BY k.first_call_id
)
SELECT k.run_id, k.thread_id, k.first_call_id, k.last_call_id, k.calls + coalesce(f.calls, 0) AS calls, k.started_ns, k.ended_ns,
  k.in_calls_ns + coalesce(f.in_calls_ns, 0) AS in_calls_ns
FROM kept k LEFT JOIN folded f ON f.first_call_id = k.first_call_id;

-- The two phases of every call whose ready time is known.
CREATE VIEW phases AS
SELECT c.run_id, c.id AS call_id, o.name AS operation, c.socket_id,
  c.started_ns, c.duration_ns, c.ready_ns, c.ready_source,
  max(c.ready_ns - c.started_ns, 0) AS wait_ns,
  c.started_ns + c.duration_ns - max(c.ready_ns, c.started_ns) AS copy_ns,
  max(c.started_ns - c.ready_ns, 0) AS sat_in_kernel_ns
FROM calls c JOIN operations o ON o.id = c.operation_id
WHERE c.ready_ns IS NOT NULL AND c.duration_ns IS NOT NULL;

-- Sockets over which TLS runs in memory: from this call on, what moves in the clear is told by tls_read and tls_write.
CREATE VIEW wrapped_sockets AS
SELECT c.socket_id, min(c.id) AS first_call_id FROM links l JOIN calls c ON c.id = l.to_call_id
WHERE l.kind = 'wrapped' GROUP BY c.socket_id;

-- Every connection, accepted or made: who, how long, how much, how it ended; folded calls counted in. Bytes are those in the
-- clear where TLS carries them. Peeks (MSG_PEEK = 2) move nothing.
CREATE VIEW connections AS
SELECT p.run_id, s.id AS socket_id, p.pid, s.fd, s.role, s.local, s.peer, s.parent_id AS listener_id,
  s.opened_ns, s.closed_ns, s.closed_by,
  coalesce(n.calls + coalesce(f.calls, 0), f.calls) AS calls, coalesce(n.fruitless + coalesce(f.calls, 0), f.calls) AS fruitless,
  -- Folded calls moved nothing: of a connection that has no others that is known.
  coalesce(n.received_bytes, 0 * f.calls) AS received_bytes, coalesce(n.sent_bytes, 0 * f.calls) AS sent_bytes,
  coalesce(n.eofs, 0 * f.calls) AS eofs, coalesce(n.resets, 0 * f.calls) AS resets
FROM sockets s
JOIN processes p ON p.id = s.process_id
LEFT JOIN (
  SELECT c.socket_id,
    count(*) AS calls,
    sum(c.outcome_id = 1 OR (c.outcome_id IN (6, 7) AND o.name IN ('tls_recv', 'tls_send'))) AS fruitless,
    sum(CASE WHEN u.name <> 'ok' THEN 0 WHEN o.name IN ('tls_recv', 'tls_read') THEN c.result WHEN c.id >= w.first_call_id THEN 0
      WHEN (o.name LIKE 'recv%' OR o.name LIKE 'read%' OR o.name = 'ring_recv') AND coalesce(c.flags, 0) & 2 = 0 THEN c.result ELSE 0 END) AS received_bytes,
    sum(CASE WHEN u.name <> 'ok' THEN 0 WHEN o.name IN ('tls_send', 'tls_write') THEN c.result WHEN c.id >= w.first_call_id THEN 0
      WHEN (o.name LIKE 'send%' OR o.name LIKE 'write%' OR o.name = 'ring_send') AND c.parent_id IS NULL THEN c.result ELSE 0 END) AS sent_bytes,
    sum(u.name = 'eof') AS eofs,
    sum(u.name = 'reset') AS resets
  FROM calls c
  JOIN operations o ON o.id = c.operation_id
  LEFT JOIN outcomes u ON u.id = c.outcome_id
  LEFT JOIN wrapped_sockets w ON w.socket_id = c.socket_id
  GROUP BY c.socket_id
) n ON n.socket_id = s.id
LEFT JOIN (SELECT socket_id, sum(calls) AS calls FROM fold_parts GROUP BY socket_id) f ON f.socket_id = s.id
WHERE s.role IN ('accepted', 'connected', 'pair');

-- Per connection: the receives that moved bytes since the last send, up to the last send before
-- the next such receive. Exchanges of a workload, which know better, are in `exchanges`.
CREATE VIEW requests AS
WITH moved AS (
  SELECT c.run_id, c.socket_id, c.id, c.started_ns, c.started_ns + c.duration_ns AS ended_ns, c.result,
    (o.name LIKE 'recv%' OR o.name LIKE 'read%' OR o.name = 'ring_recv' OR o.name IN ('tls_recv', 'tls_read')) AS receive
  FROM calls c JOIN operations o ON o.id = c.operation_id
  JOIN sockets s ON s.id = c.socket_id
  LEFT JOIN wrapped_sockets w ON w.socket_id = c.socket_id
  WHERE c.outcome_id <> 1 AND (c.outcome_id <> 5 OR ifnull(c.timeout_ns, 1) <> 0) -- by the index calls_not_fruitless
    AND c.outcome_id = 2 AND c.result > 0 AND s.role IN ('accepted', 'connected', 'pair')
    AND (o.name IN ('tls_recv', 'tls_read', 'tls_send', 'tls_write') OR (c.id >= w.first_call_id) IS NOT TRUE
      AND (((o.name LIKE 'recv%' OR o.name LIKE 'read%' OR o.name = 'ring_recv') AND coalesce(c.flags, 0) & 2 = 0)
        OR ((o.name LIKE 'send%' OR o.name LIKE 'write%' OR o.name = 'ring_send') AND c.parent_id IS NULL)))
),
turns AS (
  SELECT *, receive AND coalesce(NOT lag(receive) OVER w, 1) AS begins
  FROM moved WINDOW w AS (PARTITION BY socket_id ORDER BY started_ns, id)
),
numbered AS (
  SELECT *, sum(begins) OVER (PARTITION BY socket_id ORDER BY started_ns, id) AS n FROM turns
)
SELECT run_id, socket_id, n,
  min(started_ns) FILTER (WHERE receive) AS first_receive_ns,
  max(ended_ns) FILTER (WHERE receive) AS received_ns,
  max(ended_ns) FILTER (WHERE NOT receive) AS answered_ns,
  coalesce(sum(result) FILTER (WHERE receive), 0) AS received_bytes,
  coalesce(sum(result) FILTER (WHERE NOT receive), 0) AS sent_bytes,
  min(id) AS first_call_id,
  max(id) AS last_call_id
FROM numbered WHERE n > 0 GROUP BY run_id, socket_id, n;

-- What every run did, per operation and outcome.
CREATE VIEW summary AS
SELECT m.run_id, r.label AS run, o.name AS operation, coalesce(u.name, 'unfinished') AS outcome,
  sum(m.calls) AS calls, sum(m.total_ns) AS total_ns, min(m.min_ns) AS min_ns, max(m.max_ns) AS max_ns,
  sum(m.bytes) AS bytes
FROM summaries m
JOIN runs r ON r.id = m.run_id
JOIN operations o ON o.id = m.operation_id
LEFT JOIN outcomes u ON u.id = m.outcome_id
GROUP BY m.run_id, o.name, u.name;
