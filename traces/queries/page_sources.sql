-- The texts of the program's files.
SELECT CAST(file AS TEXT) AS file, CAST(text AS TEXT) AS text FROM sources ORDER BY id;
