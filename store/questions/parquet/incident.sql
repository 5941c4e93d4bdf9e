-- The incidents whose id begins so: two are enough to know that it is not one.
SELECT *
FROM incidents_current
WHERE starts_with(incident_id, $prefix)
ORDER BY incident_id
LIMIT 2
