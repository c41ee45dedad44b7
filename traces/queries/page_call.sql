-- When a call of a run began.
SELECT CAST(started_ns AS INTEGER) AS started_ns FROM calls WHERE id = :call AND run_id = :run;
