-- Between which ids each thread's short calls of some buckets of a level lie, bucket by bucket.
SELECT CAST(bucket AS INTEGER) AS bucket, CAST(thread_id AS INTEGER) AS thread_id,
  CAST(min(first_call_id) AS INTEGER) AS first_call_id, CAST(max(last_call_id) AS INTEGER) AS last_call_id
FROM levels
WHERE run_id = :run AND level = :level AND bucket BETWEEN :first AND :last AND socket_id = 0
GROUP BY bucket, thread_id;
