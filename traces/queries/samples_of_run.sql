-- CPU time, context switches and memory of the processes of a run, as sampled.
SELECT s.process_id, CAST(s.at_ns AS INTEGER) AS at_ns, CAST(s.run_ns AS INTEGER) AS run_ns,
  CAST(s.voluntary_switches AS INTEGER) AS voluntary_switches, CAST(s.involuntary_switches AS INTEGER) AS involuntary_switches,
  CAST(s.rss_bytes AS INTEGER) AS rss_bytes,
  CAST(s.user_ns AS INTEGER) AS user_ns, CAST(s.system_ns AS INTEGER) AS system_ns, CAST(p.started_ns AS INTEGER) AS started_ns,
  CAST(s.children_ns AS INTEGER) AS children_ns
FROM samples s JOIN processes p ON p.id = s.process_id
WHERE s.run_id = :run AND s.thread_id IS NULL ORDER BY s.process_id, s.at_ns;
