-- Fruitless calls of a run: waits with timeout 0 that found nothing, and TLS on a socket that wants more, included.
SELECT
  coalesce((SELECT sum(calls) FROM levels WHERE run_id = :run AND level = 7 AND socket_id = 0 AND class = 'fruitless'), 0)
  + (SELECT count(*) FROM calls c JOIN operations o ON o.id = c.operation_id
     WHERE c.run_id = :run AND (c.duration_ns >= 8000000 OR c.duration_ns IS NULL)
       AND (c.outcome_id = 1 OR (o.layer = 'wait' AND c.timeout_ns = 0 AND c.result = 0)
         OR (c.outcome_id IN (6, 7) AND o.name IN ('tls_recv', 'tls_send')))) AS calls;
