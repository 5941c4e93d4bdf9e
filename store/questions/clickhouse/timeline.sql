-- What happened to an identity last, for a terminal.
SELECT
    formatDateTime(story.at, '%Y-%m-%d %H:%i', 'UTC') AS at,
    story.kind AS kind,
    story.detector AS detector,
    story.headline AS headline
FROM identity_timeline AS story
WHERE
    story.principal_id = {principal_id:String}
    AND toUnixTimestamp64Micro(story.at) >= {since_us:Int64}
    AND toUnixTimestamp64Micro(story.at) < {until_us:Int64}
ORDER BY story.at DESC, story.kind, story.detector, story.entity, story.headline
LIMIT {rows_max:Int64}
