-- One row per finding: its highest revision, and what people say of it now.
-- The narrowest scope that covers it counts: a wide one never hides what somebody called malicious.
CREATE VIEW findings_current AS
SELECT
    * EXCEPT (verdict_until),
    CASE WHEN verdict = 'benign' THEN feedback_id END AS suppressed_by,
    CASE WHEN verdict = 'benign' THEN verdict_until END AS suppressed_until
FROM (
    SELECT
        found.*,
        coalesce(one.feedback_id, pattern.feedback_id, who.feedback_id, what.feedback_id, kind.feedback_id)
            AS feedback_id,
        coalesce(one.verdict, pattern.verdict, who.verdict, what.verdict, kind.verdict) AS verdict,
        CASE
            WHEN one.feedback_id IS NOT NULL THEN one.until
            WHEN pattern.feedback_id IS NOT NULL THEN pattern.until
            WHEN who.feedback_id IS NOT NULL THEN who.until
            WHEN what.feedback_id IS NOT NULL THEN what.until
            ELSE kind.until
        END AS verdict_until
    FROM findings_latest AS found
    LEFT JOIN feedback_in_force AS one
        ON one.scope = 'finding' AND one.only_finding = found.finding_id
    LEFT JOIN feedback_in_force AS pattern
        ON pattern.scope = 'pattern'
            AND pattern.tenant_id = found.tenant_id
            AND pattern.detector = found.detector
            AND pattern.principal_id = coalesce(found.principal_id, '')
            AND pattern.entity = found.entity
    LEFT JOIN feedback_in_force AS who
        ON who.scope = 'identity'
            AND who.tenant_id = found.tenant_id
            AND who.detector = found.detector
            AND who.principal_id = coalesce(found.principal_id, '')
    LEFT JOIN feedback_in_force AS what
        ON what.scope = 'entity'
            AND what.tenant_id = found.tenant_id
            AND what.detector = found.detector
            AND what.entity = found.entity
    LEFT JOIN feedback_in_force AS kind
        ON kind.scope = 'detector'
            AND kind.tenant_id = found.tenant_id
            AND kind.detector = found.detector
)
