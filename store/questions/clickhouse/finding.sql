-- The findings whose id begins so, with what was said of them and the latest name of the identity: two
-- are enough to know that it is not one. Names are read of the identities of those alone.
SELECT
    page.*,
    ifNull(known.of_name, '') AS principal_name
FROM (
    SELECT
        found.* REPLACE (
            nullIf(found.principal_id, '') AS principal_id,
            toString(found.severity) AS severity
        ),
        if(said.verdict_id = '', NULL, said.verdict_at) AS verdict_at,
        nullIf(said.verdict_by, '') AS verdict_by,
        nullIf(said.verdict_finding, '') AS verdict_finding_id,
        nullIf(said.verdict_scope, '') AS verdict_scope,
        nullIf(said.verdict_reason, '') AS verdict_reason
    FROM findings_current AS found
    LEFT JOIN (
        SELECT
            feedback_id AS verdict_id,
            given_at AS verdict_at,
            given_by AS verdict_by,
            finding_id AS verdict_finding,
            toString(scope) AS verdict_scope,
            reason AS verdict_reason
        FROM feedback FINAL
    ) AS said ON said.verdict_id = found.feedback_id
    WHERE startsWith(found.finding_id, {prefix:String})
    ORDER BY found.finding_id
    LIMIT 2
) AS page
LEFT JOIN (
    SELECT tenant_id AS of_tenant, principal_id AS of_id, principal_name AS of_name
    FROM identities FINAL
    PREWHERE (tenant_id, principal_id) IN (
        SELECT tenant_id, principal_id
        FROM findings
        WHERE startsWith(finding_id, {prefix:String})
    )
) AS known ON known.of_tenant = page.tenant_id AND known.of_id = page.principal_id
ORDER BY page.finding_id
