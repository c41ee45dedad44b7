-- Threads of a run, with their process.
SELECT t.id, CAST(t.name AS TEXT) AS name, CAST(t.native_id AS INTEGER) AS native_id, CAST(p.pid AS INTEGER) AS pid, p.id AS process_id,
  CAST(p.ended_ns AS INTEGER) AS ended_ns
FROM threads t JOIN processes p ON p.id = t.process_id WHERE p.run_id = :run ORDER BY t.id;
