-- The findings of an incident and of those that were merged into it, in the order of time. Two runs may
-- each have merged the other's: the steps have a limit.
WITH RECURSIVE parts AS (
    SELECT incident_id, 1 AS steps
    FROM incidents_current
    WHERE incident_id = $incident_id
    UNION ALL
    SELECT merged.incident_id, parts.steps + 1 AS steps
    FROM parts
    INNER JOIN incidents_current AS merged ON merged.merged_into = parts.incident_id
    WHERE parts.steps < 64
)
SELECT
    finding_id,
    tenant_id,
    principal_id,
    principal_name,
    entity,
    detector,
    severity,
    score,
    detected_at,
    sentence,
    incident_id,
    verdict
FROM (
    SELECT
        page.*,
        COALESCE(known.principal_name, '') AS principal_name,
        row_number() OVER (
            PARTITION BY page.finding_id
            ORDER BY known.last_seen DESC, known.stated_at DESC, known.requests DESC, known.active_hours DESC, known.state_bytes DESC
        ) AS nth
    FROM (
        SELECT
            found.finding_id,
            found.tenant_id,
            found.principal_id,
            found.entity,
            found.detector,
            found.severity,
            found.score,
            found.detected_at,
            substr(found.sentence, 1, 1000) AS sentence,
            found.incident_id,
            found.verdict
        FROM findings_current AS found
        INNER JOIN (SELECT DISTINCT incident_id AS part_id FROM parts) AS part
            ON part.part_id = found.incident_id
        ORDER BY found.detected_at, found.finding_id
        LIMIT $rows_max
    ) AS page
    LEFT JOIN identities AS known
        ON known.tenant_id = page.tenant_id AND known.principal_id = page.principal_id
) AS stated
WHERE nth = 1
ORDER BY detected_at, finding_id
