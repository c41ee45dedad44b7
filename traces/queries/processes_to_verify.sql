-- Which processes a run knew, and whether each was recorded.
SELECT CAST(pid AS INTEGER) AS pid, recorded, why_not, started_by FROM processes WHERE run_id = :run ORDER BY id;
