-- What happened to an identity last, for a terminal.
SELECT
    to_char(story.at, '%Y-%m-%d %H:%M') AS at,
    story.kind,
    story.detector,
    story.headline
FROM (SELECT *, at AS happened_at FROM identity_timeline) AS story
WHERE
    story.principal_id = $principal_id
    AND CAST(story.at AS BIGINT) >= $since_us
    AND CAST(story.at AS BIGINT) < $until_us
ORDER BY story.happened_at DESC, story.kind, story.detector, story.entity, story.headline
LIMIT $rows_max
