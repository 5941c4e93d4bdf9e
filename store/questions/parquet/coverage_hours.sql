-- What the hours of identities say, and in how many of them.
SELECT
    count(*) AS hours,
    CAST(min(window_start) AS BIGINT) AS first_us,
    CAST(max(window_start) AS BIGINT) AS last_us,
    COALESCE(sum(requests), 0) AS requests,
    COALESCE(sum(acted_requests), 0) AS acted_requests,
    COALESCE(sum(responses_with_size), 0) AS with_size,
    COALESCE(sum(status_unknown), 0) AS without_status,
    count(duration_p50_ms) AS with_duration,
    COALESCE(sum(CASE WHEN objects_distinct > 0 THEN 1 ELSE 0 END), 0) AS with_objects,
    COALESCE(sum(CASE WHEN networks_distinct > 0 THEN 1 ELSE 0 END), 0) AS with_networks,
    COALESCE(sum(CASE WHEN user_agents_distinct > 0 THEN 1 ELSE 0 END), 0) AS with_user_agents,
    COALESCE(sum(CASE WHEN tools_distinct > 0 THEN 1 ELSE 0 END), 0) AS with_tools,
    COALESCE(sum(CASE WHEN acted_requests > 0 THEN 1 ELSE 0 END), 0) AS with_subjects
FROM windows
WHERE CAST(window_start AS BIGINT) >= $since_us
