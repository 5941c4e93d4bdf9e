-- The findings of an incident and of those that were merged into it, in the order of time. Two runs may
-- each have merged the other's: the steps have a limit. Names are read of the identities of these findings
-- alone: those of all take longer than the rest.
WITH RECURSIVE parts AS (
    SELECT first.incident_id AS incident_id, CAST(1, 'Int64') AS steps
    FROM incidents_current AS first
    WHERE first.incident_id = {incident_id:String}
    UNION ALL
    SELECT merged.incident_id AS incident_id, CAST(parts.steps + 1, 'Int64') AS steps
    FROM parts
    INNER JOIN incidents_current AS merged ON assumeNotNull(merged.merged_into) = parts.incident_id
    WHERE merged.merged_into IS NOT NULL AND parts.steps < 64
)
SELECT
    page.finding_id AS finding_id,
    page.tenant_id AS tenant_id,
    page.principal_id AS principal_id,
    ifNull(known.of_name, '') AS principal_name,
    page.entity AS entity,
    page.detector AS detector,
    page.severity AS severity,
    page.score AS score,
    page.detected_at AS detected_at,
    page.sentence AS sentence,
    page.incident_id AS incident_id,
    page.verdict AS verdict
FROM (
    SELECT
        found.finding_id AS finding_id,
        found.tenant_id AS tenant_id,
        nullIf(found.principal_id, '') AS principal_id,
        found.entity AS entity,
        toString(found.detector) AS detector,
        toString(found.severity) AS severity,
        found.score AS score,
        found.detected_at AS detected_at,
        substringUTF8(found.sentence, 1, 1000) AS sentence,
        found.incident_id AS incident_id,
        CAST(found.verdict, 'Nullable(String)') AS verdict
    FROM findings_current AS found
    WHERE assumeNotNull(found.incident_id) IN (SELECT incident_id FROM parts) AND found.incident_id IS NOT NULL
    ORDER BY found.detected_at, found.finding_id
    LIMIT {rows_max:Int64}
) AS page
LEFT JOIN (
    SELECT tenant_id AS of_tenant, principal_id AS of_id, principal_name AS of_name
    FROM identities FINAL
    PREWHERE (tenant_id, principal_id) IN (
        SELECT tenant_id, principal_id
        FROM findings
        WHERE assumeNotNull(incident_id) IN (SELECT incident_id FROM parts) AND incident_id IS NOT NULL
    )
) AS known ON known.of_tenant = page.tenant_id AND known.of_id = page.principal_id
ORDER BY page.detected_at, page.finding_id
