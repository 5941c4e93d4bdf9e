-- What readers ask first. Each view lets the conditions on its first columns through to the keys of
-- the tables beneath it; each may be made again.

-- How risky an identity was on each day on which something was found of it. By when it was detected: a
-- window may begin a week earlier, and what nobody knew yet was no risk then. Not from findings_daily: of
-- a finding that was raised again with a lower score the rollup keeps the higher one.
-- What findings weigh is an array for each identity, sorted once by what they weigh on its newest day,
-- which is their order on every other day too. The bounds of the exponents keep numbers finite where an
-- identity has findings twenty years apart.
CREATE OR REPLACE VIEW identity_risk{on_cluster}
SQL SECURITY INVOKER AS
SELECT
    tenant_id,
    principal_id,
    day,
    sum(day_findings) AS findings,
    max(day_score) AS score_max,
    max(day_severity) AS severity_max,
    max(day_sentence) AS sentence,
    sum(day_risk) AS risk
FROM (
    SELECT
        tenant_id,
        principal_id,
        day,
        CAST(count(), 'Int64') AS day_findings,
        max(score) AS day_score,
        max(severity) AS day_severity,
        argMax(found.sentence, (score, revision, finding_id)) AS day_sentence,
        CAST(0, 'Float64') AS day_risk
    FROM findings AS found FINAL
    GROUP BY tenant_id, principal_id, toDate(detected_at) AS day
    UNION ALL
    SELECT
        tenant_id,
        principal_id,
        day,
        CAST(0, 'Int64') AS day_findings,
        CAST(0, 'Float64') AS day_score,
        CAST('info', 'Enum8(''info'' = 1, ''low'' = 2, ''medium'' = 3, ''high'' = 4, ''critical'' = 5)') AS day_severity,
        '' AS day_sentence,
        exp2(least((toInt32(newest) - toInt32(day)) / 7, 1000)) * arraySum(
            (weight, place) -> weight / (place * sqrt(place)),
            arraySlice(
                arrayFilter((weight, found) -> found <= day AND found + 28 > day, all_weights, all_days),
                1,
                16
            ) AS heaviest,
            arrayEnumerate(heaviest)
        ) AS day_risk
    FROM (
        SELECT
            tenant_id,
            principal_id,
            arrayJoin(arrayDistinct(all_days)) AS day,
            newest,
            all_days,
            all_weights
        FROM (
            SELECT
                tenant_id,
                principal_id,
                max(found_on) AS newest,
                arrayReverseSort(
                    found -> found.1,
                    arrayMap(
                        found -> (found.1 * exp2(greatest((toInt32(found.2) - toInt32(newest)) / 7, -1000)), found.2),
                        groupArray((weight, found_on))
                    )
                ) AS sorted,
                sorted.1 AS all_weights,
                sorted.2 AS all_days
            FROM (
                -- What a finding weighs at the end of its own day.
                SELECT
                    tenant_id,
                    principal_id,
                    toDate(detected_at) AS found_on,
                    risk_score * exp2(
                        (toUnixTimestamp64Micro(detected_at) / 1000000 - (toInt64(found_on) + 1) * 86400) / 604800
                    ) AS weight
                FROM findings FINAL
            )
            GROUP BY tenant_id, principal_id
        )
    )
)
GROUP BY tenant_id, principal_id, day;

-- What is ordinary for an identity: its latest state, and what its hours add up to.
-- Both sides are asked by the identity alone, so that nobody else's hours are read.
CREATE OR REPLACE VIEW identity_profile{on_cluster}
SQL SECURITY INVOKER AS
SELECT
    who.tenant_id AS tenant_id,
    who.principal_id AS principal_id,
    who.principal_name AS principal_name,
    who.principal_type AS principal_type,
    who.principal_source AS principal_source,
    who.baseline_state AS baseline_state,
    who.first_seen AS first_seen,
    who.last_seen AS last_seen,
    who.requests AS requests,
    who.active_hours AS active_hours,
    who.endpoints_known AS endpoints_known,
    who.endpoints_usual AS endpoints_usual,
    who.risk AS risk,
    who.risk_findings AS risk_findings,
    who.peer_group AS peer_group,
    who.peers AS peers,
    who.windows_learned AS windows_learned,
    who.windows_withheld AS windows_withheld,
    hours.hours_usual AS hours_usual,
    if(hours.hours_seen = 0, NULL, hours.requests_quantiles[1]) AS requests_p05,
    if(hours.hours_seen = 0, NULL, hours.requests_quantiles[2]) AS requests_p50,
    if(hours.hours_seen = 0, NULL, hours.requests_quantiles[3]) AS requests_p95,
    if(hours.hours_seen = 0, NULL, hours.bytes_quantiles[1]) AS bytes_out_p05,
    if(hours.hours_seen = 0, NULL, hours.bytes_quantiles[2]) AS bytes_out_p50,
    if(hours.hours_seen = 0, NULL, hours.bytes_quantiles[3]) AS bytes_out_p95,
    if(hours.hours_seen = 0, NULL, hours.objects_quantiles[1]) AS objects_p05,
    if(hours.hours_seen = 0, NULL, hours.objects_quantiles[2]) AS objects_p50,
    if(hours.hours_seen = 0, NULL, hours.objects_quantiles[3]) AS objects_p95,
    if(hours.hours_seen = 0, NULL, hours.networks_most) AS networks_distinct_max,
    if(hours.hours_seen = 0, NULL, hours.networks_added) AS networks_new,
    if(hours.hours_seen = 0, NULL, hours.user_agents_most) AS user_agents_distinct_max
FROM identities AS who FINAL
LEFT JOIN (
    SELECT
        tenant_id,
        principal_id,
        count() AS hours_seen,
        sumMap([toInt16(toHour(window_start))], [1]) AS by_hour,
        arrayFilter((hour, seen) -> seen * 50 >= hours_seen, by_hour.1, by_hour.2) AS usual,
        arrayStringConcat(
            arrayMap(
                (first, last) -> if(first = last, toString(first), concat(toString(first), '-', toString(last))),
                arrayFilter(hour -> NOT has(usual, toInt16(hour - 1)), usual),
                arrayFilter(hour -> NOT has(usual, toInt16(hour + 1)), usual)
            ),
            ', '
        ) AS hours_usual,
        quantilesExactInclusive(0.05, 0.5, 0.95)(hour.requests) AS requests_quantiles,
        quantilesExactInclusive(0.05, 0.5, 0.95)(hour.bytes_out) AS bytes_quantiles,
        quantilesExactInclusive(0.05, 0.5, 0.95)(hour.objects_distinct) AS objects_quantiles,
        max(hour.networks_distinct) AS networks_most,
        sum(hour.networks_new) AS networks_added,
        max(hour.user_agents_distinct) AS user_agents_most
    FROM windows AS hour FINAL
    GROUP BY tenant_id, principal_id
) AS hours
    ON hours.tenant_id = who.tenant_id AND hours.principal_id = who.principal_id;

-- Each endpoint with what was found at it; it has no tenant, so no tenant's role may read it.
CREATE OR REPLACE VIEW endpoint_inventory{on_cluster}
SQL SECURITY INVOKER AS
SELECT
    at.endpoint AS endpoint,
    at.endpoint_source AS endpoint_source,
    at.first_seen AS first_seen,
    at.last_seen AS last_seen,
    at.requests AS requests,
    at.identities AS identities,
    at.authenticated_share AS authenticated_share,
    at.answered AS answered,
    at.answered_unauthenticated AS answered_unauthenticated,
    at.objects_per_hour_p99 AS objects_per_hour_p99,
    CAST(found.findings_there, 'Int64') AS findings,
    if(found.findings_there = 0, NULL, found.detected_last) AS last_finding_at
FROM endpoints AS at FINAL
LEFT JOIN (
    SELECT entity, count() AS findings_there, max(detected_at) AS detected_last
    FROM findings FINAL
    GROUP BY entity
) AS found
    ON found.entity = at.endpoint;

-- Identities that are alike, as they were grouped last.
-- A name may hold anything: what would end a JSON text early is escaped, what has no short form replaced.
CREATE OR REPLACE VIEW peer_group{on_cluster}
SQL SECURITY INVOKER AS
SELECT
    tenant_id,
    peer_group,
    principal_type,
    CAST(count(), 'Int64') AS identities,
    quantileExactInclusive(0.5)(requests_per_hour_mean) AS requests_per_hour_median,
    quantileExactInclusive(0.5)(who.bytes_out_per_hour_median) AS bytes_out_per_hour_median,
    quantileExactInclusive(0.5)(endpoints_known) AS endpoints_known_median,
    max(who.risk) AS risk_max,
    concat('[', arrayStringConcat(arrayMap(
        first -> concat('"', replaceRegexpAll(
            replaceAll(replaceAll(replaceAll(replaceAll(replaceAll(
                first.2, '\\', '\\\\'), '"', '\\"'), '\t', '\\t'), '\n', '\\n'), '\r', '\\r'),
            '[\\x00-\\x1f\\x7f]', '\xEF\xBF\xBD'
        ), '"'),
        groupArraySorted(5)((-who.risk, principal_id))
    ), ','), ']') AS principals
FROM identities AS who FINAL
GROUP BY tenant_id, peer_group, principal_type;

-- What each detector did on each day, and what people say of it now. The narrowest scope counts, as in
-- findings_current; sets instead of joins, since most findings are judged by nobody.
CREATE OR REPLACE VIEW detector_quality{on_cluster}
SQL SECURITY INVOKER AS
SELECT
    tenant_id,
    detector,
    day,
    sum(day_findings) AS findings,
    sum(day_identities) AS identities,
    sum(day_severe) AS severe,
    sum(day_benign) AS benign,
    sum(day_malicious) AS malicious,
    sum(day_benign) AS suppressed,
    sum(day_findings) - sum(day_benign) - sum(day_malicious) AS unjudged,
    max(day_score_median) AS score_median,
    max(day_score_max) AS score_max,
    sum(day_signals) AS signals,
    max(day_surprise_p99) AS surprise_p99
FROM (
    SELECT
        tenant_id,
        CAST(found.detector, 'String') AS detector,
        toDate(window_start) AS day,
        CAST(count(), 'Int64') AS day_findings,
        CAST(uniqExact(principal_id), 'Int64') AS day_identities,
        CAST(countIf(severity >= 'high'), 'Int64') AS day_severe,
        CAST(countIf(judged = 1), 'Int64') AS day_benign,
        CAST(countIf(judged = 2), 'Int64') AS day_malicious,
        CAST(quantileExactInclusive(0.5)(score), 'Nullable(Float64)') AS day_score_median,
        CAST(max(score), 'Nullable(Float64)') AS day_score_max,
        CAST(0, 'Int64') AS day_signals,
        CAST(NULL, 'Nullable(Float64)') AS day_surprise_p99
    FROM (
        SELECT
            tenant_id,
            principal_id,
            detector,
            window_start,
            severity,
            score,
            multiIf(
                finding_id IN (
                    SELECT only_finding FROM feedback_in_force
                    WHERE scope = 'finding' AND verdict = 'benign'
                ), 1,
                finding_id IN (
                    SELECT only_finding FROM feedback_in_force
                    WHERE scope = 'finding' AND verdict = 'malicious'
                ), 2,
                (tenant_id, detector, principal_id, entity) IN (
                    SELECT tenant_id, detector, principal_id, entity FROM feedback_in_force
                    WHERE scope = 'pattern' AND verdict = 'benign'
                ), 1,
                (tenant_id, detector, principal_id, entity) IN (
                    SELECT tenant_id, detector, principal_id, entity FROM feedback_in_force
                    WHERE scope = 'pattern' AND verdict = 'malicious'
                ), 2,
                (tenant_id, detector, principal_id) IN (
                    SELECT tenant_id, detector, principal_id FROM feedback_in_force
                    WHERE scope = 'identity' AND verdict = 'benign'
                ), 1,
                (tenant_id, detector, principal_id) IN (
                    SELECT tenant_id, detector, principal_id FROM feedback_in_force
                    WHERE scope = 'identity' AND verdict = 'malicious'
                ), 2,
                (tenant_id, detector, entity) IN (
                    SELECT tenant_id, detector, entity FROM feedback_in_force
                    WHERE scope = 'entity' AND verdict = 'benign'
                ), 1,
                (tenant_id, detector, entity) IN (
                    SELECT tenant_id, detector, entity FROM feedback_in_force
                    WHERE scope = 'entity' AND verdict = 'malicious'
                ), 2,
                (tenant_id, detector) IN (
                    SELECT tenant_id, detector FROM feedback_in_force
                    WHERE scope = 'detector' AND verdict = 'benign'
                ), 1,
                (tenant_id, detector) IN (
                    SELECT tenant_id, detector FROM feedback_in_force
                    WHERE scope = 'detector' AND verdict = 'malicious'
                ), 2,
                0
            ) AS judged
        FROM findings FINAL
    ) AS found
    GROUP BY tenant_id, detector, day
    UNION ALL
    SELECT
        tenant_id,
        CAST(seen.detector, 'String') AS detector,
        toDate(window_start) AS day,
        CAST(0, 'Int64') AS day_findings,
        CAST(0, 'Int64') AS day_identities,
        CAST(0, 'Int64') AS day_severe,
        CAST(0, 'Int64') AS day_benign,
        CAST(0, 'Int64') AS day_malicious,
        CAST(NULL, 'Nullable(Float64)') AS day_score_median,
        CAST(NULL, 'Nullable(Float64)') AS day_score_max,
        CAST(count(), 'Int64') AS day_signals,
        CAST(quantileExactInclusive(0.99)(surprise), 'Nullable(Float64)') AS day_surprise_p99
    FROM signals AS seen
    GROUP BY tenant_id, detector, day
)
GROUP BY tenant_id, detector, day;
