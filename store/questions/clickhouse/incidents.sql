-- Incidents with the identities of their findings, the most severe and latest first. A finding keeps
-- the incident that it was raised in, which may have been merged into one that was merged itself: it
-- counts for all of them. Two runs may each have merged the other's: the steps have a limit.
WITH RECURSIVE
    places AS (
        SELECT incident_id, coalesce(merged_into, incident_id) AS place, CAST(1, 'Int64') AS steps
        FROM incidents_current
        UNION ALL
        SELECT
            places.incident_id AS incident_id,
            assumeNotNull(next.merged_into) AS place,
            CAST(places.steps + 1, 'Int64') AS steps
        FROM places
        INNER JOIN incidents_current AS next ON next.incident_id = places.place
        WHERE next.merged_into IS NOT NULL AND places.steps < 64
    ),
    named AS (
        SELECT
            if(places.place = '', assumeNotNull(found.incident_id), places.place) AS incident_id,
            arrayStringConcat(arraySort(groupUniqArray(found.principal_id)), ', ') AS principals
        FROM findings_latest AS found
        LEFT JOIN places ON places.incident_id = assumeNotNull(found.incident_id)
        WHERE found.incident_id IS NOT NULL AND found.principal_id != ''
        GROUP BY incident_id
    )
SELECT
    incident.incident_id AS incident_id,
    toString(incident.severity) AS severity,
    incident.status AS status,
    incident.first_detected_at AS first_detected_at,
    incident.last_detected_at AS last_detected_at,
    incident.findings AS findings,
    substringUTF8(named.principals, 1, 400) AS principals,
    incident.sentence AS sentence
FROM incidents_current AS incident
LEFT JOIN named ON named.incident_id = incident.incident_id
WHERE
    incident.status != 'merged'
    AND toUnixTimestamp64Micro(incident.last_detected_at) >= {since_us:Int64}
    AND toUnixTimestamp64Micro(incident.first_detected_at) < {until_us:Int64}
    AND CAST(incident.severity, 'Int8') >= {severity_min:Int64}
ORDER BY
    incident.severity DESC,
    incident.last_detected_at DESC,
    incident.incident_id
LIMIT {rows_max:Int64}
