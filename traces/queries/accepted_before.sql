-- How many connections a run's processes had accepted up to a moment, and how many of them were still open.
SELECT count(*) AS accepted, coalesce(sum(s.closed_ns IS NULL OR s.closed_ns > :at), 0) AS connections
FROM sockets s JOIN processes p ON p.id = s.process_id
WHERE p.run_id = :run AND s.role = 'accepted' AND s.origin = 'accepted' AND s.opened_ns <= :at;
