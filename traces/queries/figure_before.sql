-- The last call on a socket before a given one that was more than a question for nothing.
SELECT c.id FROM calls c WHERE c.id < :call AND c.run_id = :run AND c.socket_id = :socket
  AND c.outcome_id IS NOT (SELECT id FROM outcomes WHERE name = 'would_block')
  AND c.operation_id IN (SELECT id FROM operations WHERE name IN (SELECT value FROM json_each(:operations)))
ORDER BY c.id DESC LIMIT 1;
