-- What was said of each finding last and not taken back, whether it is over or not, the latest first.
SELECT
    found.detector,
    found.severity,
    found.principal_type,
    found.principal_id,
    found.entity,
    found.baseline_state,
    found.score,
    found.surprise,
    found.history_days,
    found.detected_at,
    said.verdict
FROM findings_latest AS found
INNER JOIN (
    SELECT *, row_number() OVER (PARTITION BY finding_id ORDER BY given_at DESC, feedback_id) AS place
    FROM feedback
    WHERE
        withdraws IS NULL
        AND feedback_id NOT IN (SELECT withdraws FROM feedback WHERE withdraws IS NOT NULL)
) AS said ON said.finding_id = found.finding_id AND said.place = 1
ORDER BY said.given_at DESC, said.feedback_id DESC
LIMIT $rows_max
