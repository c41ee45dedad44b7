-- How far a run reaches: its call ids, and the last moment the trace knows of.
SELECT
  (SELECT count(*) FROM (SELECT 1 FROM levels WHERE run_id = :run AND level = 7 LIMIT 1)) AS has_levels,
  CAST(coalesce((SELECT sum(calls) FROM summaries WHERE run_id = :run), 0) AS INTEGER) AS counted,
  CAST(coalesce(min(
    coalesce((SELECT min(first_call_id) FROM levels WHERE run_id = :run AND level = 7), 9223372036854775807),
    coalesce((SELECT min(id) FROM calls WHERE run_id = :run AND (duration_ns >= 8000000 OR duration_ns IS NULL)), 9223372036854775807)
  ), 0) AS INTEGER) AS first_id,
  CAST(max(
    coalesce((SELECT max(last_call_id) FROM levels WHERE run_id = :run AND level = 7), 0),
    coalesce((SELECT max(id) FROM calls WHERE run_id = :run AND (duration_ns >= 8000000 OR duration_ns IS NULL)), 0)
  ) AS INTEGER) AS last_id,
  CAST(max(
    coalesce((SELECT max(at_ns) FROM clocks WHERE run_id = :run), 0),
    coalesce((SELECT max(at_ns) FROM samples WHERE run_id = :run), 0),
    coalesce((SELECT max(max(coalesce(s.opened_ns, 0), coalesce(s.closed_ns, 0))) FROM sockets s JOIN processes p ON p.id = s.process_id
      WHERE p.run_id = :run), 0),
    coalesce((SELECT max(max(coalesce(sent_ns, 0), coalesce(answered_ns, 0))) FROM exchanges WHERE run_id = :run), 0),
    coalesce((SELECT max(started_ns + coalesce(duration_ns, 0)) FROM calls WHERE run_id = :run
      AND (duration_ns >= 8000000 OR duration_ns IS NULL)), 0),
    coalesce((SELECT max(started_ns + coalesce(duration_ns, 0)) FROM
      (SELECT started_ns, duration_ns, run_id FROM calls ORDER BY id DESC LIMIT 1000) WHERE run_id = :run), 0)
  ) AS INTEGER) AS last_ns;
