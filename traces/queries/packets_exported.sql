-- Packets of a run in a window of time.
SELECT id, at_ns, source, destination, payload_bytes, frame, socket_id FROM packets
WHERE run_id = :run AND at_ns >= :start AND at_ns < :end ORDER BY id;
