-- Findings with all their columns and the latest names of their identities, the most severe first.
SELECT * EXCEPT (nth)
FROM (
    SELECT
        page.*,
        COALESCE(known.principal_name, '') AS principal_name,
        row_number() OVER (
            PARTITION BY page.finding_id
            ORDER BY known.last_seen DESC, known.stated_at DESC, known.requests DESC, known.active_hours DESC, known.state_bytes DESC
        ) AS nth
    FROM (
        SELECT found.*
        FROM findings_current AS found
        WHERE
            CAST(found.detected_at AS BIGINT) >= $since_us
            AND CAST(found.detected_at AS BIGINT) < $until_us
            AND CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END >= $severity_min
            AND ($detector = '' OR found.detector = $detector)
            AND ($principal_id = '' OR found.principal_id = $principal_id)
            AND ($with_suppressed = 1 OR found.suppressed_by IS NULL)
        ORDER BY
            CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END DESC,
            found.score DESC,
            found.detected_at,
            found.finding_id
        LIMIT $rows_max
    ) AS page
    LEFT JOIN identities AS known
        ON known.tenant_id = page.tenant_id AND known.principal_id = page.principal_id
) AS stated
WHERE nth = 1
ORDER BY
    CASE severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END DESC,
    score DESC,
    detected_at,
    finding_id
