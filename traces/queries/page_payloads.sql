-- The first bytes of what calls of a run moved, between two ids.
SELECT CAST(p.call_id AS INTEGER), CAST(p.size AS INTEGER), CAST(p.data AS BLOB)
FROM payloads p JOIN calls c ON c.id = p.call_id WHERE p.call_id BETWEEN :first AND :last AND c.run_id = :run ORDER BY p.call_id;
