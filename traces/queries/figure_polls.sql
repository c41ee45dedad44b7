-- Questions for nothing of one thread between two calls: those on a socket by some operations counted, with the first two and the last; and all others.
SELECT count(*) FILTER (WHERE mine) AS calls, CAST(coalesce(sum(duration_ns) FILTER (WHERE mine), 0) AS INTEGER) AS ns,
  min(id) FILTER (WHERE mine) AS first_id, max(id) FILTER (WHERE mine) AS last_id, count(*) FILTER (WHERE NOT mine) AS others
FROM (
  SELECT c.id, c.duration_ns, (c.socket_id = :socket
    AND c.operation_id IN (SELECT id FROM operations WHERE name IN (SELECT value FROM json_each(:operations)))) IS TRUE AS mine
  FROM calls c WHERE c.id > :first AND c.id < :last AND c.run_id = :run AND c.thread_id = :thread
    AND c.outcome_id = (SELECT id FROM outcomes WHERE name = 'would_block'));
