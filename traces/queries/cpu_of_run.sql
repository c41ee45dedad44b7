-- CPU time and most memory of every process of a run, up to its last sample.
SELECT CAST(p.pid AS INTEGER) AS pid,
  CAST(max(s.run_ns) AS INTEGER) AS run_ns,
  CAST(max(s.user_ns) AS INTEGER) AS user_ns,
  CAST(max(s.system_ns) AS INTEGER) AS system_ns,
  CAST(max(s.rss_bytes) AS INTEGER) AS rss_bytes
FROM samples s JOIN processes p ON p.id = s.process_id
WHERE s.run_id = :run AND s.thread_id IS NULL
GROUP BY p.id ORDER BY p.id;
