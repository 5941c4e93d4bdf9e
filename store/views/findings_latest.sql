-- One row per finding: its highest revision, whatever was said of it.
-- Two runs may hold the same revision; the columns after it then decide, always in the same way.
CREATE VIEW findings_latest AS
SELECT * EXCEPT (place)
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY finding_id
            ORDER BY
                revision DESC,
                detected_at DESC,
                score DESC,
                surprise DESC,
                config_hash,
                model_version,
                sentence,
                contributors,
                evidence
        ) AS place
    FROM findings
)
WHERE place = 1
