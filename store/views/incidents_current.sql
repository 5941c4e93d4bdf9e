-- One row per incident: its highest revision.
-- Two runs may hold the same revision; the columns after it then decide, always in the same way.
CREATE VIEW incidents_current AS
SELECT * EXCEPT (place)
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY incident_id
            ORDER BY
                revision DESC,
                last_detected_at DESC,
                findings DESC,
                score DESC,
                status,
                sentence
        ) AS place
    FROM incidents
)
WHERE place = 1
