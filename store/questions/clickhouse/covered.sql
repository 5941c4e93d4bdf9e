-- How many findings a row of feedback covers now.
SELECT CAST(count(), 'Int64') AS n
FROM findings_current AS found
WHERE found.feedback_id = {feedback_id:String}
