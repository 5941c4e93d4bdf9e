-- What each detector read and raised in some time; what was written again counts once.
SELECT
    done.name AS detector,
    sum(done.read) AS signals,
    sum(done.raised) AS findings,
    max(done.at_us) AS last_us
FROM (
    SELECT
        toString(signal.detector) AS name,
        CAST(count(), 'Int64') AS read,
        CAST(0, 'Int64') AS raised,
        toUnixTimestamp64Micro(max(signal.window_start)) AS at_us
    FROM signals AS signal FINAL
    WHERE signal.window_start >= fromUnixTimestamp64Micro({since_us:Int64}, 'UTC')
    GROUP BY signal.detector
    UNION ALL
    SELECT
        toString(found.detector) AS name,
        CAST(0, 'Int64') AS read,
        CAST(count(), 'Int64') AS raised,
        toUnixTimestamp64Micro(max(found.detected_at)) AS at_us
    FROM findings_latest AS found
    WHERE found.detected_at >= fromUnixTimestamp64Micro({since_us:Int64}, 'UTC')
    GROUP BY found.detector
) AS done
GROUP BY done.name
ORDER BY detector
LIMIT {rows_max:Int64}
