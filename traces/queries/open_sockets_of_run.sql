-- Sockets of a run that nobody has seen closed: process and id.
SELECT s.process_id, s.id FROM sockets s JOIN processes p ON p.id = s.process_id WHERE p.run_id = :run AND s.closed_ns IS NULL;
