-- How many findings feedback leaves out of a list.
SELECT CAST(count(), 'Int64') AS n
FROM findings_current AS found
WHERE
    toUnixTimestamp64Micro(found.detected_at) >= {since_us:Int64}
    AND toUnixTimestamp64Micro(found.detected_at) < {until_us:Int64}
    AND CAST(found.severity, 'Int8') >= {severity_min:Int64}
    AND ({detector:String} = '' OR found.detector = {detector:String})
    AND ({principal_id:String} = '' OR found.principal_id = {principal_id:String})
    AND found.suppressed_by IS NOT NULL
