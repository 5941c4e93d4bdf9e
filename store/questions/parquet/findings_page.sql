-- A page of them in what a list shows, the most severe first. The latest names are looked up of the findings
-- of the page only.
SELECT
    finding_id,
    tenant_id,
    principal_id,
    principal_name,
    entity,
    detector,
    severity,
    score,
    detected_at,
    sentence,
    incident_id,
    verdict
FROM (
    SELECT
        page.*,
        COALESCE(known.principal_name, '') AS principal_name,
        row_number() OVER (
            PARTITION BY page.finding_id
            ORDER BY known.last_seen DESC, known.stated_at DESC, known.requests DESC, known.active_hours DESC, known.state_bytes DESC
        ) AS nth
    FROM (
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
        FROM meant AS found
        WHERE found.is_listed = 1
        ORDER BY
            CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END DESC,
            found.score DESC,
            found.detected_at,
            found.finding_id
        LIMIT $rows_max
        OFFSET $skip
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
