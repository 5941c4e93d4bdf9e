-- One incident, and the one that it was merged into, if it was.
SELECT *
FROM incidents_current
WHERE incident_id = $incident_id
