-- What the hours of identities say, and in how many of them. An hour that two runs saw happened once, with
-- the higher numbers.
SELECT
    count(*) AS hours,
    CAST(min(window_start) AS BIGINT) AS first_us,
    CAST(max(window_start) AS BIGINT) AS last_us,
    COALESCE(sum(calls), 0) AS requests,
    COALESCE(sum(acted), 0) AS acted_requests,
    COALESCE(sum(sized), 0) AS with_size,
    COALESCE(sum(unanswered), 0) AS without_status,
    count(duration) AS with_duration,
    COALESCE(sum(CASE WHEN objects > 0 THEN 1 ELSE 0 END), 0) AS with_objects,
    COALESCE(sum(CASE WHEN networks > 0 THEN 1 ELSE 0 END), 0) AS with_networks,
    COALESCE(sum(CASE WHEN agents > 0 THEN 1 ELSE 0 END), 0) AS with_user_agents,
    COALESCE(sum(CASE WHEN tools > 0 THEN 1 ELSE 0 END), 0) AS with_tools,
    COALESCE(sum(CASE WHEN acted > 0 THEN 1 ELSE 0 END), 0) AS with_subjects
FROM (
    SELECT
        window_start,
        max(requests) AS calls,
        max(acted_requests) AS acted,
        max(responses_with_size) AS sized,
        max(status_unknown) AS unanswered,
        max(duration_p50_ms) AS duration,
        max(objects_distinct) AS objects,
        max(networks_distinct) AS networks,
        max(user_agents_distinct) AS agents,
        max(tools_distinct) AS tools
    FROM windows
    WHERE CAST(window_start AS BIGINT) >= $since_us
    GROUP BY tenant_id, principal_id, window_start, window_seconds
) AS one_hour
