-- A page of them in what a list shows, the most severe first. Its rows are put into an array, which is made
-- once, so that names are read of the identities on the page alone: those of all take longer than the rest.
,
(
    SELECT groupArray(row)
    FROM (
        SELECT
            (
                meant.finding_id,
                meant.tenant_id,
                meant.principal_id,
                meant.entity,
                toString(meant.detector),
                meant.severity,
                meant.score,
                meant.detected_at,
                substringUTF8(meant.sentence, 1, 1000),
                meant.incident_id,
                CAST(meant.verdict, 'Nullable(String)')
            ) AS row
        FROM meant
        WHERE meant.is_listed = 1
        ORDER BY
            meant.severity DESC,
            meant.score DESC,
            meant.detected_at,
            meant.finding_id
        LIMIT {rows_max:Int64}
        OFFSET {skip:Int64}
    )
) AS page
SELECT
    row.1 AS finding_id,
    row.2 AS tenant_id,
    nullIf(row.3, '') AS principal_id,
    ifNull(known.of_name, '') AS principal_name,
    row.4 AS entity,
    row.5 AS detector,
    toString(row.6) AS severity,
    row.7 AS score,
    row.8 AS detected_at,
    row.9 AS sentence,
    row.10 AS incident_id,
    row.11 AS verdict
FROM (SELECT arrayJoin(page) AS row, row.2 AS whose, row.3 AS who) AS shown
LEFT JOIN (
    SELECT tenant_id AS of_tenant, principal_id AS of_id, principal_name AS of_name
    FROM identities FINAL
    PREWHERE (tenant_id, principal_id) IN (SELECT row.2, row.3 FROM (SELECT arrayJoin(page) AS row))
) AS known ON known.of_tenant = shown.whose AND known.of_id = shown.who
ORDER BY
    row.6 DESC,
    row.7 DESC,
    row.8,
    row.1
