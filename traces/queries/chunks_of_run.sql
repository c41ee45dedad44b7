-- Where a run's calls stand, in chunks of ids: number of the chunk, start of its earliest call.
SELECT id / :chunk, min(started_ns) FROM calls WHERE run_id = :run GROUP BY 1 ORDER BY 1;
