-- One incident, and the one that it was merged into, if it was.
SELECT incident.* REPLACE (
    toString(incident.severity) AS severity
)
FROM incidents_current AS incident
WHERE incident.incident_id = {incident_id:String}
