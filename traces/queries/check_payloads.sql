-- Payloads that hold more bytes than their call moved.
SELECT count(*) AS rows FROM payloads WHERE length(data) > size;
