-- What a call was made possible, submitted, completed or sent by, and what it made possible itself.
SELECT l.kind, l.from_call_id, l.to_call_id FROM links l WHERE l.from_call_id = :call OR l.to_call_id = :call ORDER BY l.from_call_id;
