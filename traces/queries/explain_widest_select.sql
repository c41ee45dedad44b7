-- The select with the most descriptors.
SELECT id, asked FROM calls
WHERE run_id = :run AND operation_id = (SELECT id FROM operations WHERE name = 'select') ORDER BY asked DESC LIMIT 1;
