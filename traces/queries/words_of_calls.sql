-- The words of a trace: operations (with their layer), outcomes, addresses.
SELECT 'operation' AS kind, id, CAST(name AS TEXT) AS name, CAST(layer AS TEXT) AS layer FROM operations
UNION ALL SELECT 'outcome', id, CAST(name AS TEXT), NULL FROM outcomes
UNION ALL SELECT 'address', id, CAST(text AS TEXT), NULL FROM addresses;
