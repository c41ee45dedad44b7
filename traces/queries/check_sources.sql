-- The program's files as stored, with the sum that tells whether they still are what they were.
SELECT file, sha256, text FROM sources;
