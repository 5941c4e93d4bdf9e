-- How many findings all pages of a list have together, how many of them are severe, and how many feedback
-- suppresses, whether the list has them or not.
SELECT
    CAST(countIf(meant.is_listed = 1), 'Int64') AS n,
    CAST(countIf(meant.is_listed = 1 AND meant.severity IN ('critical', 'high')), 'Int64') AS severe,
    CAST(countIf(meant.suppressed_by IS NOT NULL), 'Int64') AS suppressed
FROM meant
