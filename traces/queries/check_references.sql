-- Rows that name a row which is not there, per table and referenced table.
SELECT "table" AS child, parent, count(*) AS rows FROM pragma_foreign_key_check GROUP BY 1, 2
UNION ALL
-- levels.socket_id stands for all sockets where it is 0, so it is no declared reference.
SELECT 'levels', 'sockets', count(*) FROM levels WHERE socket_id <> 0 AND socket_id NOT IN (SELECT id FROM sockets) HAVING count(*) > 0;
