-- What the clients asked, in the order of time, and the calls that took it up.
SELECT CAST(x.client AS TEXT) AS client, CAST(x.n AS INTEGER) AS n, x.socket_id, CAST(x.sent_ns AS INTEGER) AS sent_ns, x.first_call_id, x.last_call_id
FROM exchanges x WHERE x.run_id = :run AND x.n > 0 ORDER BY x.sent_ns, x.client, x.n;
