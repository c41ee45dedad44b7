-- Packets of a run with the calls that sent or read them: all, those of one call, or of one socket (NULL: any), from an id on.
SELECT p.id, p.at_ns, p.source, p.destination, p.seq, p.ack, p.flags, p.payload_bytes, p.socket_id, p.frame,
  (SELECT group_concat(c.call_id) FROM carried c WHERE c.packet_id = p.id) AS calls
FROM packets p
WHERE p.run_id = :run AND p.id >= :first AND p.at_ns < :end AND p.at_ns >= :start
  AND (:call IS NULL OR p.id IN (SELECT packet_id FROM carried WHERE call_id = :call))
  AND (:socket IS NULL OR p.socket_id = :socket)
ORDER BY p.id LIMIT :most;
