-- Share of calls that came back with nothing, per operation.
SELECT r.id AS run_id, coalesce(r.label, 'run ' || r.id) AS run, m.operation, sum(m.calls) AS calls,
  coalesce(sum(m.calls) FILTER (WHERE m.outcome = 'would_block' OR (m.outcome LIKE 'want_%' AND m.operation IN ('tls_recv', 'tls_send'))), 0) AS fruitless,
  round(100.0 * coalesce(sum(m.calls) FILTER (WHERE m.outcome = 'would_block' OR (m.outcome LIKE 'want_%' AND m.operation IN ('tls_recv', 'tls_send'))), 0) / sum(m.calls), 2) AS percent
FROM summary m JOIN runs r ON r.id = m.run_id
WHERE :run IS NULL OR m.run_id = :run
GROUP BY r.id, m.operation ORDER BY r.id, calls DESC;
