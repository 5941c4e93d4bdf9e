-- How many findings all pages of a list have together, and how many of them are severe.
SELECT
    count(*) AS n,
    COALESCE(sum(CASE WHEN meant.severity IN ('critical', 'high') THEN 1 ELSE 0 END), 0) AS severe
FROM meant
