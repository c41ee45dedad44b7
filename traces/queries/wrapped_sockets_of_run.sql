-- Sockets of a run over which TLS speaks, and the first of the calls that carry it: what those move is counted in the clear.
SELECT w.socket_id, CAST(w.first_call_id AS INTEGER) AS first_call_id
FROM wrapped_sockets w JOIN sockets s ON s.id = w.socket_id JOIN processes p ON p.id = s.process_id WHERE p.run_id = :run;
