-- Both addresses of the sockets of a run, and which are copies of which.
SELECT s.id, s.origin_id, CAST(s.local AS TEXT) AS local, CAST(s.peer AS TEXT) AS peer, CAST(s.closed_ns AS INTEGER) AS closed_ns
FROM sockets s JOIN processes p ON p.id = s.process_id WHERE p.run_id = :run;
