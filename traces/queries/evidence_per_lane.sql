-- What each thread did on each socket of a run, by class: how many calls, and the first and last of them. Calls of 8 ms and more are not in here.
SELECT thread_id, socket_id, class, sum(calls) AS calls, min(first_call_id) AS first_id, max(last_call_id) AS last_id
FROM levels WHERE run_id = :run AND level = 7 AND socket_id > 0
GROUP BY thread_id, socket_id, class;
