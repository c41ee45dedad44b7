-- Where a call was made.
SELECT site_id FROM calls WHERE run_id = :run AND id = :call;
