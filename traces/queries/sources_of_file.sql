-- The texts of a file of the program, the newest first.
SELECT CAST(text AS TEXT) AS text FROM sources WHERE file = :file ORDER BY id DESC;
