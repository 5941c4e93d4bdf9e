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
