-- How long a thread was ready without a processor between the last look at it before a stretch of time and the first one after it.
SELECT CAST(coalesce(
    (SELECT delay_ns FROM samples WHERE run_id = :run AND thread_id = :thread AND delay_ns IS NOT NULL AND at_ns >= :end ORDER BY at_ns LIMIT 1),
    (SELECT max(delay_ns) FROM samples WHERE run_id = :run AND thread_id = :thread), 0)
  - coalesce(
    (SELECT delay_ns FROM samples WHERE run_id = :run AND thread_id = :thread AND delay_ns IS NOT NULL AND at_ns <= :start
     ORDER BY at_ns DESC LIMIT 1), 0) AS INTEGER) AS delay_ns;
