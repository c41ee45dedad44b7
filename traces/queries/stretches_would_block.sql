-- Of a run cut into stretches of :width ns: per stretch and socket (0: none) how many calls that would have blocked came to an end in it.
SELECT CAST((started_ns + duration_ns - 1) / :width AS INTEGER) AS stretch, CAST(ifnull(socket_id, 0) AS INTEGER) AS socket_id,
  count(*) AS calls
FROM calls WHERE run_id = :run AND outcome_id = 1 AND duration_ns IS NOT NULL
GROUP BY 1, 2;
