-- What the hours of identities say, and in how many of them.
SELECT
    CAST(count(), 'Int64') AS hours,
    toUnixTimestamp64Micro(min(window_start)) AS first_us,
    toUnixTimestamp64Micro(max(window_start)) AS last_us,
    sum(found.requests) AS requests,
    sum(found.acted_requests) AS acted_requests,
    sum(found.responses_with_size) AS with_size,
    sum(found.status_unknown) AS without_status,
    CAST(count(found.duration_p50_ms), 'Int64') AS with_duration,
    CAST(countIf(found.objects_distinct > 0), 'Int64') AS with_objects,
    CAST(countIf(found.networks_distinct > 0), 'Int64') AS with_networks,
    CAST(countIf(found.user_agents_distinct > 0), 'Int64') AS with_user_agents,
    CAST(countIf(found.tools_distinct > 0), 'Int64') AS with_tools,
    CAST(countIf(found.acted_requests > 0), 'Int64') AS with_subjects
FROM windows AS found FINAL
WHERE found.window_start >= fromUnixTimestamp64Micro({since_us:Int64}, 'UTC')
