-- Exchanges as the clients of a workload saw them: how long each waited for its answer.
SELECT coalesce(r.label, 'run ' || r.id) AS run, e.client, e.n, round(e.sent_ns / 1e9, 6) AS sent_s,
  round((e.answered_ns - e.sent_ns) / 1e6, 3) AS answer_ms, e.sent_bytes, e.answered_bytes, e.result
FROM exchanges e JOIN runs r ON r.id = e.run_id
WHERE :run IS NULL OR e.run_id = :run
ORDER BY e.run_id, e.sent_ns, e.client, e.n;
