-- Signals of a run counted, by name and by how Python gave them.
SELECT CAST(signal AS TEXT) AS signal, CAST(via AS TEXT) AS via, count(*) AS deliveries FROM signals WHERE run_id = :run
GROUP BY signal, via ORDER BY deliveries DESC, signal, via;
