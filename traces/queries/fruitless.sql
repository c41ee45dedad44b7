-- Share of calls that came back with nothing, per run and operation.
SELECT r.id AS run_id, coalesce(r.label, 'run ' || r.id) AS run, m.operation, sum(m.calls) AS calls,
  sum(m.calls) FILTER (WHERE m.outcome = 'would_block') AS fruitless,
  round(100.0 * coalesce(sum(m.calls) FILTER (WHERE m.outcome = 'would_block'), 0) / sum(m.calls), 2) AS percent
FROM summary m JOIN runs r ON r.id = m.run_id
GROUP BY r.id, m.operation ORDER BY r.id, calls DESC;
