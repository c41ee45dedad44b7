-- Links of a run, in the order of the calls they lead to.
SELECT rowid AS id, from_call_id, to_call_id, kind FROM links
WHERE from_call_id BETWEEN :first AND :last AND from_call_id IN (SELECT id FROM calls WHERE run_id = :run) ORDER BY to_call_id, rowid;
