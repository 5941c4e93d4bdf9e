-- The findings whose id begins so, with what was said of them and the latest name of the identity: two
-- are enough to know that it is not one.
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
        SELECT
            found.*,
            said.given_at AS verdict_at,
            said.given_by AS verdict_by,
            said.finding_id AS verdict_finding_id,
            said.scope AS verdict_scope,
            said.reason AS verdict_reason
        FROM findings_current AS found
        LEFT JOIN feedback AS said ON said.feedback_id = found.feedback_id
        WHERE starts_with(found.finding_id, $prefix)
        ORDER BY found.finding_id
        LIMIT 2
    ) AS page
    LEFT JOIN identities AS known
        ON known.tenant_id = page.tenant_id AND known.principal_id = page.principal_id
) AS stated
WHERE nth = 1
ORDER BY finding_id
