-- How risky an identity was on each day on which something was found of it. By when it was detected: a
-- window may begin a week earlier, and what nobody knew yet was no risk then.
CREATE VIEW identity_risk AS
WITH
found AS (
    SELECT
        tenant_id,
        principal_id,
        CAST(detected_at AS DATE) AS day,
        score,
        CASE severity
            WHEN 'critical' THEN 5
            WHEN 'high' THEN 4
            WHEN 'medium' THEN 3
            WHEN 'low' THEN 2
            ELSE 1
        END AS severity_rank,
        first_value(sentence) OVER (
            PARTITION BY tenant_id, principal_id, CAST(detected_at AS DATE)
            ORDER BY score DESC, revision DESC, finding_id DESC
        ) AS sentence,
        -- At the end of its own day.
        risk_score * power(2.0, (
            CAST(CAST(detected_at AS BIGINT) AS DOUBLE) / 1000000.0
                - (CAST(CAST(CAST(detected_at AS DATE) AS INT) AS DOUBLE) + 1.0) * 86400.0
        ) / 604800.0) AS weight
    FROM findings_latest
),
days AS (
    SELECT
        tenant_id,
        principal_id,
        day,
        count(*) AS findings,
        max(score) AS score_max,
        max(severity_rank) AS severity_rank,
        max(sentence) AS sentence
    FROM found
    GROUP BY tenant_id, principal_id, day
),
-- What findings weigh at the end of each day that looks back at them.
looked_at AS (
    SELECT
        days.tenant_id,
        days.principal_id,
        days.day,
        weight * power(2.0, (CAST(CAST(found.day AS INT) AS DOUBLE) - CAST(CAST(days.day AS INT) AS DOUBLE)) / 7.0)
            AS weight
    FROM days
    JOIN found
        ON found.tenant_id = days.tenant_id
            AND coalesce(found.principal_id, '') = coalesce(days.principal_id, '')
            AND (found.principal_id IS NULL) = (days.principal_id IS NULL)
    WHERE found.day <= days.day AND CAST(found.day AS INT) + 28 > CAST(days.day AS INT)
),
placed AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY tenant_id, principal_id, day ORDER BY weight DESC) AS place
    FROM looked_at
),
risks AS (
    SELECT
        tenant_id,
        principal_id,
        day,
        sum(weight / (place * sqrt(CAST(place AS DOUBLE)))) AS risk
    FROM placed
    WHERE place <= 16
    GROUP BY tenant_id, principal_id, day
)
SELECT
    days.tenant_id,
    days.principal_id,
    days.day,
    days.findings,
    days.score_max,
    CASE days.severity_rank
        WHEN 5 THEN 'critical'
        WHEN 4 THEN 'high'
        WHEN 3 THEN 'medium'
        WHEN 2 THEN 'low'
        ELSE 'info'
    END AS severity_max,
    days.sentence,
    risks.risk
FROM days
JOIN risks
    ON risks.tenant_id = days.tenant_id
        AND coalesce(risks.principal_id, '') = coalesce(days.principal_id, '')
        AND (risks.principal_id IS NULL) = (days.principal_id IS NULL)
        AND risks.day = days.day
