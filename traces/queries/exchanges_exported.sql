-- What the clients of a workload asked and got, in the order of time, with the server's first call.
SELECT client, n, local_port, connected_ns, sent_ns, answered_ns, sent_bytes, answered_bytes, result, first_call_id
FROM exchanges WHERE run_id = :run AND sent_ns IS NOT NULL AND n > 0 ORDER BY sent_ns;
