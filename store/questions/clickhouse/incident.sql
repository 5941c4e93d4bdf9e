-- The incidents whose id begins so: two are enough to know that it is not one.
SELECT incident.* REPLACE (
    toString(incident.severity) AS severity
)
FROM incidents_current AS incident
WHERE startsWith(incident.incident_id, {prefix:String})
ORDER BY incident.incident_id
LIMIT 2
