-- Spins: stretches in which a thread asked again and again and got nothing, longest first.
SELECT coalesce(r.label, 'run ' || r.id) AS run, coalesce(t.name, 'thread ' || t.id) AS thread, s.calls,
  round(s.started_ns / 1e9, 6) AS from_s, round(s.ended_ns / 1e9, 6) AS to_s,
  round(100.0 * s.in_calls_ns / nullif(s.ended_ns - s.started_ns, 0), 1) AS percent_in_calls, s.first_call_id, s.last_call_id
FROM spins s JOIN runs r ON r.id = s.run_id JOIN threads t ON t.id = s.thread_id
WHERE :run IS NULL OR s.run_id = :run
ORDER BY s.run_id, s.ended_ns - s.started_ns DESC LIMIT 50;
