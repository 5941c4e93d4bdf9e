-- A page of findings in what a list shows of them, the most severe first. An identity is meant by a part
-- of its id or of its name, in small letters; a verdict is empty for those that lists show, `any`,
-- `none`, or one. The latest names are looked up of the findings of the page only.
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
        FROM findings_current AS found
        LEFT JOIN (
            SELECT DISTINCT tenant_id AS of_tenant, principal_id AS of_name
            FROM identities
            WHERE $identity <> '' AND contains(lower(principal_name), $identity)
        ) AS named ON named.of_tenant = found.tenant_id AND named.of_name = found.principal_id
        WHERE
            CAST(found.detected_at AS BIGINT) >= $since_us
            AND CAST(found.detected_at AS BIGINT) < $until_us
            AND CASE found.severity WHEN 'critical' THEN 5 WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END >= $severity_min
            AND ($detector = '' OR found.detector = $detector)
            AND ($identity = '' OR contains(lower(found.principal_id), $identity) OR named.of_name IS NOT NULL)
            AND (
                ($verdict = '' AND found.suppressed_by IS NULL)
                OR $verdict = 'any'
                OR ($verdict = 'none' AND found.verdict IS NULL)
                OR found.verdict = $verdict
            )
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
