-- How many rows of a level a run has in some buckets.
SELECT count(*) AS held FROM levels WHERE run_id = :run AND level = :level AND bucket BETWEEN :first AND :last;
