-- Unfinished calls of a run, by thread; what was asked of a ring ends in any order.
SELECT id, CAST(thread_id AS INTEGER) AS thread_id, CAST(started_ns AS INTEGER) AS started_ns FROM calls
WHERE run_id = :run AND (duration_ns >= 8000000 OR duration_ns IS NULL) AND duration_ns IS NULL AND parent_id IS NULL
  AND operation_id NOT IN (SELECT id FROM operations WHERE layer = 'ring' AND name NOT IN ('ring_submit', 'ring_wait')) ORDER BY id;
