-- What people said, the latest first, of findings or under ids that begin so: whether it still holds,
-- and how many findings it leaves out of lists now.
SELECT
    said.feedback_id AS feedback_id,
    said.given_at AS given_at,
    said.given_by AS given_by,
    said.finding_id AS finding_id,
    said.tenant_id AS tenant_id,
    toString(said.verdict) AS verdict,
    toString(said.scope) AS scope,
    CAST(said.detector, 'Nullable(String)') AS detector,
    nullIf(said.principal_id, '') AS principal_id,
    said.entity AS entity,
    said.until AS until,
    multiIf(
        back.of != '', 'withdrawn',
        held.held_id != '', 'in force',
        said.until <= now64(6, 'UTC'), 'expired',
        'replaced'
    ) AS state,
    CAST(hidden.n, 'Int64') AS suppresses,
    said.reason AS reason,
    if(back.of = '', NULL, back.back_at) AS withdrawn_at,
    nullIf(back.back_by, '') AS withdrawn_by,
    nullIf(back.back_reason, '') AS withdrawn_reason
FROM feedback AS said FINAL
LEFT JOIN (SELECT feedback_id AS held_id FROM feedback_in_force) AS held
    ON held.held_id = said.feedback_id
LEFT JOIN (
    SELECT
        assumeNotNull(withdraws) AS of,
        given_at AS back_at,
        given_by AS back_by,
        reason AS back_reason
    FROM feedback FINAL
    WHERE withdraws IS NOT NULL
    ORDER BY given_at, feedback_id
    LIMIT 1 BY withdraws
) AS back ON back.of = said.feedback_id
LEFT JOIN (
    SELECT assumeNotNull(suppressed_by) AS suppressing, count() AS n
    FROM findings_current
    WHERE suppressed_by IS NOT NULL
    GROUP BY suppressing
) AS hidden ON hidden.suppressing = said.feedback_id
WHERE
    said.withdraws IS NULL
    AND (startsWith(said.feedback_id, {prefix:String}) OR startsWith(said.finding_id, {prefix:String}))
ORDER BY given_at DESC, feedback_id
LIMIT {rows_max:Int64}
