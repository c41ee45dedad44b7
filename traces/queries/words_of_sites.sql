-- Where in the program calls were made.
SELECT id, CAST(file AS TEXT) AS file, CAST(line AS INTEGER) AS line, CAST(function AS TEXT) AS function, CAST(code AS TEXT) AS code FROM sites;
