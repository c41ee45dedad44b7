-- Signals of a run, in the order of time.
SELECT thread_id, signal, via, started_ns, ended_ns, during_call_id FROM signals WHERE run_id = :run ORDER BY started_ns;
