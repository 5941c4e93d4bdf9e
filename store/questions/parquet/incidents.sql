-- Incidents with the identities of their findings, the most severe and latest first. A finding keeps
-- the incident that it was raised in, which may have been merged into one that was merged itself: it
-- counts for all of them. Two runs may each have merged the other's: the steps have a limit.
WITH RECURSIVE places AS (
    SELECT incident_id, COALESCE(merged_into, incident_id) AS place, 1 AS steps
    FROM incidents_current
    UNION ALL
    SELECT
        places.incident_id,
        COALESCE(next.merged_into, next.incident_id) AS place,
        places.steps + 1 AS steps
    FROM places
    INNER JOIN incidents_current AS next ON next.incident_id = places.place
    WHERE next.merged_into IS NOT NULL AND places.steps < 64
),
named AS (
    SELECT
        COALESCE(places.place, found.incident_id) AS incident_id,
        array_to_string(array_agg(DISTINCT found.principal_id ORDER BY found.principal_id), ', ') AS principals
    FROM findings_latest AS found
    LEFT JOIN places ON places.incident_id = found.incident_id
    WHERE found.incident_id IS NOT NULL AND found.principal_id IS NOT NULL
    GROUP BY 1
)
SELECT
    incident.incident_id,
    incident.severity,
    incident.status,
    incident.first_detected_at,
    incident.last_detected_at,
    incident.findings,
    COALESCE(substr(named.principals, 1, 400), '') AS principals,
    incident.sentence
FROM incidents_current AS incident
LEFT JOIN named ON named.incident_id = incident.incident_id
WHERE
    incident.status != 'merged'
    AND CAST(incident.last_detected_at AS BIGINT) >= $since_us
    AND CAST(incident.first_detected_at AS BIGINT) < $until_us
    AND CASE incident.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END >= $severity_min
ORDER BY
    CASE incident.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END DESC,
    incident.last_detected_at DESC,
    incident.incident_id
LIMIT $rows_max
