-- The findings that a list means, before each question about them. An identity is meant by a part of its
-- id or of its name, in small letters; a verdict is empty for those that lists show, `any`, `none`, or one.
-- Whether it is one of that verdict is a column, so that those which lists leave out can be counted too.
WITH meant AS (
    SELECT
        found.*,
        multiIf(
            {verdict:String} = '', found.suppressed_by IS NULL,
            {verdict:String} = 'any', 1,
            {verdict:String} = 'none', found.verdict IS NULL,
            toString(ifNull(found.verdict, '')) = {verdict:String}
        ) AS is_listed
    FROM findings_current AS found
    WHERE
        toUnixTimestamp64Micro(found.detected_at) >= {since_us:Int64}
        AND toUnixTimestamp64Micro(found.detected_at) < {until_us:Int64}
        AND CAST(found.severity, 'Int8') >= {severity_min:Int64}
        AND ({detector:String} = '' OR found.detector = {detector:String})
        AND (
            {identity:String} = ''
            OR position(lowerUTF8(found.principal_id), {identity:String}) > 0
            OR (found.tenant_id, found.principal_id) IN (
                SELECT tenant_id, principal_id
                FROM identities
                WHERE {identity:String} != '' AND position(lowerUTF8(ifNull(principal_name, '')), {identity:String}) > 0
            )
        )
)
