-- Identities that are alike, as they were grouped last.
-- A name may hold anything: what would end a JSON text early is escaped, what has no short form replaced.
CREATE VIEW peer_group AS
WITH states AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY tenant_id, peer_group, principal_type ORDER BY risk DESC, principal_id
        ) AS place_by_risk
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY tenant_id, principal_id
                ORDER BY last_seen DESC, stated_at DESC, requests DESC, risk DESC, endpoints_usual
            ) AS place
        FROM identities
    )
    WHERE place = 1
)
SELECT
    tenant_id,
    peer_group,
    principal_type,
    count(*) AS identities,
    median(requests_per_hour_mean) AS requests_per_hour_median,
    median(bytes_out_per_hour_median) AS bytes_out_per_hour_median,
    median(CAST(endpoints_known AS DOUBLE)) AS endpoints_known_median,
    max(risk) AS risk_max,
    concat('[', string_agg(
        concat('"', regexp_replace(
            replace(replace(replace(replace(replace(
                principal_id, '\', '\\'), '"', '\"'), chr(9), '\t'), chr(10), '\n'), chr(13), '\r'),
            '[\x00-\x1f\x7f]', chr(65533), 'g'
        ), '"'),
        ',' ORDER BY place_by_risk
    ) FILTER (WHERE place_by_risk <= 5), ']') AS principals
FROM states
GROUP BY tenant_id, peer_group, principal_type
