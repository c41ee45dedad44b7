-- Which call made which other possible, for calls between two ids.
SELECT CAST(from_call_id AS INTEGER), CAST(to_call_id AS INTEGER), CAST(kind AS TEXT) FROM links
WHERE from_call_id BETWEEN :first AND :last AND to_call_id BETWEEN :first AND :last;
