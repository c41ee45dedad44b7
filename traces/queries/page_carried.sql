-- Which calls sent or read bytes of which packets of a run.
SELECT d.call_id, d.packet_id FROM carried d JOIN packets p ON p.id = d.packet_id WHERE p.run_id = :run ORDER BY d.packet_id LIMIT :most;
