-- Segments and datagrams with data, as captured.
SELECT CAST(at_ns AS INTEGER) AS at_ns, CAST(source AS TEXT) AS source, CAST(destination AS TEXT) AS destination, CAST(seq AS INTEGER) AS seq,
  CAST(payload_bytes AS INTEGER) AS bytes
FROM packets WHERE run_id = :run AND payload_bytes > 0 ORDER BY at_ns, id;
