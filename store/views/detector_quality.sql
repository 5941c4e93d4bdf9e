-- What each detector did on each day, and what people say of it now.
-- A row of signals that was written again counts once: that which saw more, as the later one does.
CREATE VIEW detector_quality AS
WITH
found AS (
    SELECT
        tenant_id,
        detector,
        CAST(window_start AS DATE) AS day,
        count(*) AS findings,
        count(DISTINCT coalesce(principal_id, '')) AS identities,
        count(*) FILTER (WHERE severity IN ('high', 'critical')) AS severe,
        count(*) FILTER (WHERE verdict = 'benign') AS benign,
        count(*) FILTER (WHERE verdict = 'malicious') AS malicious,
        count(*) FILTER (WHERE suppressed_by IS NOT NULL) AS suppressed,
        count(*) FILTER (WHERE verdict IS NULL) AS unjudged,
        median(score) AS score_median,
        max(score) AS score_max
    FROM findings_current
    GROUP BY tenant_id, detector, CAST(window_start AS DATE)
),
seen AS (
    SELECT
        tenant_id,
        detector,
        CAST(window_start AS DATE) AS day,
        count(*) AS signals,
        array_sort(array_agg(surprise)) AS surprises
    FROM (
        SELECT
            tenant_id,
            detector,
            window_start,
            last_value(surprise ORDER BY observed, expected, surprise) AS surprise
        FROM signals
        GROUP BY tenant_id, principal_id, window_start, detector, entity, window_seconds
    )
    GROUP BY tenant_id, detector, CAST(window_start AS DATE)
)
SELECT
    coalesce(found.tenant_id, seen.tenant_id) AS tenant_id,
    coalesce(found.detector, seen.detector) AS detector,
    coalesce(found.day, seen.day) AS day,
    coalesce(found.findings, 0) AS findings,
    coalesce(found.identities, 0) AS identities,
    coalesce(found.severe, 0) AS severe,
    coalesce(found.benign, 0) AS benign,
    coalesce(found.malicious, 0) AS malicious,
    coalesce(found.suppressed, 0) AS suppressed,
    coalesce(found.unjudged, 0) AS unjudged,
    found.score_median,
    found.score_max,
    coalesce(seen.signals, 0) AS signals,
    surprises[CAST(floor((signals - 1) * 0.99) AS BIGINT) + 1]
        + ((signals - 1) * 0.99 - floor((signals - 1) * 0.99))
            * (surprises[CAST(ceil((signals - 1) * 0.99) AS BIGINT) + 1]
                - surprises[CAST(floor((signals - 1) * 0.99) AS BIGINT) + 1])
        AS surprise_p99
FROM found
FULL JOIN seen
    ON seen.tenant_id = found.tenant_id AND seen.detector = found.detector AND seen.day = found.day
