-- What the hours of identities say, and in how many of them. An hour that two runs saw happened once, with
-- the higher numbers of those rows that the table still has: a merge leaves the one written last.
SELECT
    CAST(count(), 'Int64') AS hours,
    toUnixTimestamp64Micro(min(one_hour.window_start)) AS first_us,
    toUnixTimestamp64Micro(max(one_hour.window_start)) AS last_us,
    sum(one_hour.calls) AS requests,
    sum(one_hour.acted) AS acted_requests,
    sum(one_hour.sized) AS with_size,
    sum(one_hour.unanswered) AS without_status,
    CAST(count(one_hour.duration), 'Int64') AS with_duration,
    CAST(countIf(one_hour.objects > 0), 'Int64') AS with_objects,
    CAST(countIf(one_hour.networks > 0), 'Int64') AS with_networks,
    CAST(countIf(one_hour.agents > 0), 'Int64') AS with_user_agents,
    CAST(countIf(one_hour.tools > 0), 'Int64') AS with_tools,
    CAST(countIf(one_hour.acted > 0), 'Int64') AS with_subjects
FROM (
    SELECT
        seen.window_start AS window_start,
        max(seen.requests) AS calls,
        max(seen.acted_requests) AS acted,
        max(seen.responses_with_size) AS sized,
        max(seen.status_unknown) AS unanswered,
        max(seen.duration_p50_ms) AS duration,
        max(seen.objects_distinct) AS objects,
        max(seen.networks_distinct) AS networks,
        max(seen.user_agents_distinct) AS agents,
        max(seen.tools_distinct) AS tools
    FROM windows AS seen
    WHERE seen.window_start >= fromUnixTimestamp64Micro({since_us:Int64}, 'UTC')
    GROUP BY seen.tenant_id, seen.principal_id, seen.window_start, seen.window_seconds
) AS one_hour
-- Every row is wanted: the client's `final` would leave the one written last.
SETTINGS final = 0
