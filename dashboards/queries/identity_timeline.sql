SELECT
    at,
    kind,
    detector,
    entity,
    headline,
    requests,
    bytes_out,
    score
FROM identity_timeline
WHERE {tenant}
    AND {identity}
    AND $__timeFilter_ms(at)
ORDER BY at DESC, kind
LIMIT 500
