-- Sends that took less than they were offered, with what was sent on the same socket from then on.
WITH sends AS (SELECT id FROM operations WHERE name IN ('send', 'write', 'sendmsg', 'writev')),
cut AS (
  SELECT DISTINCT socket_id FROM (
    SELECT socket_id FROM calls
    WHERE run_id = :run AND operation_id IN sends AND outcome_id = 2 AND result < asked AND socket_id IS NOT NULL LIMIT :most)
),
followed AS (
  SELECT id, socket_id, asked, result, site_id,
    lead(asked) OVER (PARTITION BY socket_id ORDER BY id) AS next_asked,
    coalesce(sum(result) OVER (PARTITION BY socket_id ORDER BY id ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING), 0) AS later_bytes
  FROM calls
  WHERE run_id = :run AND socket_id IN cut AND outcome_id = 2 AND parent_id IS NULL
    AND operation_id IN (SELECT id FROM operations WHERE name LIKE 'send%' OR name IN ('write', 'writev'))
)
SELECT id, socket_id, asked, result, site_id, next_asked, later_bytes FROM followed
WHERE result < asked AND (later_bytes < asked - result OR next_asked < asked - result) ORDER BY id LIMIT :most;
