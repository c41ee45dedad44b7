-- The first bytes that some calls moved.
SELECT call_id, CAST(size AS INTEGER) AS size, CAST(data AS BLOB) AS data FROM payloads
WHERE call_id IN (SELECT value FROM json_each(:calls));
