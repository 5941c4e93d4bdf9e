-- What each detector read and raised in some time; what was written again counts once.
SELECT
    detector,
    sum(signals) AS signals,
    sum(findings) AS findings,
    max(last_us) AS last_us
FROM (
    SELECT
        detector,
        count(*) AS signals,
        0 AS findings,
        CAST(max(window_start) AS BIGINT) AS last_us
    FROM (
        SELECT DISTINCT tenant_id, principal_id, window_start, detector, entity, window_seconds
        FROM signals
        WHERE CAST(window_start AS BIGINT) >= $since_us
    ) AS signal
    GROUP BY detector
    UNION ALL
    SELECT
        detector,
        0 AS signals,
        count(*) AS findings,
        CAST(max(detected_at) AS BIGINT) AS last_us
    FROM findings_latest
    WHERE CAST(detected_at AS BIGINT) >= $since_us
    GROUP BY detector
) AS done
GROUP BY detector
ORDER BY detector
LIMIT $rows_max
