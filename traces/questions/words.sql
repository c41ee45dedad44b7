-- Every call in words, one line each.
SELECT id, words FROM call_log WHERE :run IS NULL OR run_id = :run ORDER BY id;
