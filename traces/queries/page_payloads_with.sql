-- Calls of a run among whose first bytes are some others.
SELECT p.call_id FROM payloads p JOIN calls c ON c.id = p.call_id WHERE c.run_id = :run AND instr(p.data, CAST(:bytes AS BLOB)) > 0;
