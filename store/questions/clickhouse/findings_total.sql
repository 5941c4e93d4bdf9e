-- How many findings all pages of a list have together, and how many of them are severe.
SELECT
    CAST(count(), 'Int64') AS n,
    CAST(countIf(meant.severity IN ('critical', 'high')), 'Int64') AS severe
FROM meant
