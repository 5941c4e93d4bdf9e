SELECT
    parseDateTime64BestEffortOrNull(JSONExtractString(call, 'time'), 6, 'UTC') AS time,
    JSONExtractString(call, 'request') AS request,
    JSONExtract(call, 'status', 'Nullable(Int64)') AS status,
    JSONExtract(call, 'bytes_out', 'Nullable(Float64)') AS bytes_out,
    JSONExtractString(call, 'client_address') AS client_address,
    JSONExtractString(call, 'agent') AS agent,
    JSONExtractString(call, 'input') AS input,
    JSONExtract(call, 'line', 'Nullable(Int64)') AS line,
    detector,
    finding_id
FROM (
    SELECT
        finding_id,
        detector,
        arrayJoin(JSONExtractArrayRaw(evidence)) AS call
    FROM findings FINAL
    WHERE {tenant}
        AND {identity}
        AND {detected}
        AND {finding}
)
ORDER BY time DESC, finding_id, line
LIMIT 200
