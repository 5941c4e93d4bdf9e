-- What was said of each finding last and not taken back, whether it is over or not, the latest first.
SELECT
    toString(found.detector) AS detector,
    toString(found.severity) AS severity,
    CAST(found.principal_type, 'Nullable(String)') AS principal_type,
    nullIf(found.principal_id, '') AS principal_id,
    found.entity AS entity,
    toString(found.baseline_state) AS baseline_state,
    found.score AS score,
    found.surprise AS surprise,
    found.history_days AS history_days,
    found.detected_at AS detected_at,
    toString(said.verdict_said) AS verdict
FROM findings AS found FINAL
INNER JOIN (
    SELECT
        finding_id AS said_of,
        feedback_id AS said_id,
        given_at AS said_at,
        verdict AS verdict_said
    FROM feedback FINAL
    WHERE
        withdraws IS NULL
        AND feedback_id NOT IN (SELECT assumeNotNull(withdraws) FROM feedback WHERE withdraws IS NOT NULL)
    ORDER BY given_at DESC, feedback_id
    LIMIT 1 BY finding_id
) AS said ON said.said_of = found.finding_id
ORDER BY said.said_at DESC, said.said_id DESC
LIMIT {rows_max:Int64}
