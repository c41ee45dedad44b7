-- Time in short calls of a run, per bucket, from the level that is wanted up to the coarsest.
SELECT CAST(thread_id AS INTEGER) AS thread_id, CAST(socket_id AS INTEGER) AS socket_id, class, CAST(bucket AS INTEGER) AS bucket,
  CAST(calls AS INTEGER) AS calls, CAST(ns AS INTEGER) AS ns, CAST(bytes AS INTEGER) AS bytes,
  CAST(first_call_id AS INTEGER) AS first_call_id, CAST(last_call_id AS INTEGER) AS last_call_id
FROM levels
WHERE run_id = :run AND level = :level AND bucket BETWEEN :first AND :last;
