-- What people say of findings now: neither withdrawn nor over, and of one scope the latest.
-- What is no part of a scope is the empty text, so that equal scopes are equal.
CREATE VIEW feedback_in_force AS
SELECT * EXCEPT (place)
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY scope, tenant_id, only_finding, detector, principal_id, entity
            ORDER BY given_at DESC, feedback_id
        ) AS place
    FROM (
        SELECT
            feedback_id,
            given_at,
            tenant_id,
            verdict,
            scope,
            CASE WHEN scope = 'finding' THEN finding_id ELSE '' END AS only_finding,
            coalesce(detector, '') AS detector,
            coalesce(principal_id, '') AS principal_id,
            coalesce(entity, '') AS entity,
            until
        FROM feedback
        WHERE
            withdraws IS NULL
            AND (until IS NULL OR until > now())
            AND feedback_id NOT IN (SELECT withdraws FROM feedback WHERE withdraws IS NOT NULL)
    )
)
WHERE place = 1
