-- Sockets that readiness calls between two ids named or reported.
SELECT CAST(call_id AS INTEGER), CAST(socket_id AS INTEGER), CAST(interest AS INTEGER), CAST(events AS INTEGER) FROM readiness
WHERE call_id BETWEEN :first AND :last;
