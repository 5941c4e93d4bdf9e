SELECT count() AS findings
FROM findings_current
WHERE {tenant}
    AND {detected}
    AND severity = '{level}'
    AND suppressed_by IS NULL
