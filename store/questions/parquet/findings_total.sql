-- How many findings all pages of a list have together, how many of them are severe, and how many feedback
-- suppresses, whether the list has them or not.
SELECT
    COALESCE(sum(meant.is_listed), 0) AS n,
    COALESCE(sum(CASE WHEN meant.severity IN ('critical', 'high') THEN meant.is_listed ELSE 0 END), 0) AS severe,
    COALESCE(sum(CASE WHEN meant.suppressed_by IS NULL THEN 0 ELSE 1 END), 0) AS suppressed
FROM meant
