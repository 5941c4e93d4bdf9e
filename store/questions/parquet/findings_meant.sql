-- The findings that a list means, before each question about them. An identity is meant by a part of its
-- id or of its name, in small letters; a verdict is empty for those that lists show, `any`, `none`, or one.
-- Whether it is one of that verdict is a column, so that those which lists leave out can be counted too.
WITH meant AS (
    SELECT
        found.*,
        CASE
            WHEN $verdict = '' AND found.suppressed_by IS NULL THEN 1
            WHEN $verdict = 'any' THEN 1
            WHEN $verdict = 'none' AND found.verdict IS NULL THEN 1
            WHEN found.verdict = $verdict THEN 1
            ELSE 0
        END AS is_listed
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
)
