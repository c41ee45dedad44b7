-- Which calls find nothing, by operation and place: the first calls of the run's spins suffice.
SELECT operation_id, site_id, count(*) AS calls, min(id) AS first_id, max(id) AS last_id, sum(duration_ns) AS ns
FROM (SELECT * FROM calls WHERE run_id = :run AND (outcome_id = 1 OR (timeout_ns = 0 AND result = 0)) LIMIT :most)
GROUP BY operation_id, site_id ORDER BY calls DESC LIMIT 5;
