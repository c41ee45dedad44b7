-- Where CPU time went: of each run in all, how long it took in calls that found nothing, and how long threads were ready without a processor.
WITH looks AS (
  SELECT run_id, process_id, thread_id, max(run_ns) AS run_ns, max(delay_ns) AS delay_ns FROM samples GROUP BY run_id, process_id, thread_id
), kinds AS (
  SELECT run_id, class, sum(calls) AS calls, sum(ns) AS ns FROM levels WHERE level = 7 AND socket_id = 0 GROUP BY run_id, class
)
SELECT r.id AS run_id, coalesce(r.label, 'run ' || r.id) AS run,
  (SELECT round(sum(run_ns) / 1e9, 6) FROM looks WHERE run_id = r.id AND thread_id IS NULL) AS cpu_s,
  (SELECT calls FROM kinds WHERE run_id = r.id AND class = 'fruitless') AS fruitless_calls,
  (SELECT round(ns / 1e9, 6) FROM kinds WHERE run_id = r.id AND class = 'fruitless') AS in_fruitless_calls_s,
  (SELECT round(sum(ns) / 1e9, 6) FROM kinds WHERE run_id = r.id AND class IN ('moved', 'other')) AS in_useful_calls_s,
  (SELECT round(sum(delay_ns) / 1e9, 6) FROM looks WHERE run_id = r.id AND thread_id IS NOT NULL) AS ready_without_cpu_s
FROM runs r WHERE :run IS NULL OR r.id = :run ORDER BY r.id;
