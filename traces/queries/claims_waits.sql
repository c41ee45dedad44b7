-- Calls on the accepted sockets and listeners of a run that accept, receive or send: whether they could wait, how many, the longest.
-- What was folded could not wait.
SELECT role, waits, CAST(sum(calls) AS INTEGER) AS calls, CAST(count(DISTINCT socket_id) AS INTEGER) AS sockets,
  CAST(max(longest_ns) AS INTEGER) AS longest_ns
FROM (
  SELECT s.role, s.id AS socket_id, CASE WHEN c.timeout_ns IS NULL THEN 'forever' WHEN c.timeout_ns = 0 THEN 'never' ELSE 'limited' END AS waits,
    1 AS calls, coalesce(c.duration_ns, 0) AS longest_ns
  FROM calls c JOIN operations o ON o.id = c.operation_id JOIN sockets s ON s.id = c.socket_id
  WHERE c.run_id = :run AND s.role IN ('accepted', 'listener') AND (o.name = 'accept' OR o.name LIKE 'recv%' OR o.name LIKE 'send%')
  UNION ALL
  SELECT s.role, s.id, 'never', q.calls, q.max_ns
  FROM fold_parts q JOIN operations o ON o.id = q.operation_id JOIN sockets s ON s.id = q.socket_id JOIN processes p ON p.id = s.process_id
  WHERE p.run_id = :run AND s.role IN ('accepted', 'listener') AND (o.name = 'accept' OR o.name LIKE 'recv%' OR o.name LIKE 'send%'))
GROUP BY role, waits;
