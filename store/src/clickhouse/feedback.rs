//! Feedback on a server: a row each, and one of the audit.

use crate::clickhouse::client::Client;
use crate::error::StoreError;
use crate::feedback::{self, Feedback, us};
use crate::reader::Value;

/// What stands for NULL in a parameter: no time of anybody's, and no id.
const NEVER_US: i64 = i64::MIN;

/// The row of the parameters. What is no part of a scope is NULL.
const INSERT: &str = "INSERT INTO feedback (feedback_id, given_at, given_by, finding_id, tenant_id, \
    verdict, reason, scope, detector, principal_id, entity, until, withdraws) SELECT \
    {feedback_id:String}, fromUnixTimestamp64Micro({given_us:Int64}, 'UTC'), {given_by:String}, \
    {finding_id:String}, {tenant_id:String}, {verdict:String}, {reason:String}, {scope:String}, \
    {detector:String}, {principal_id:String}, \
    if({has_entity:Int64} = 1, {entity:String}, NULL), \
    if({until_us:Int64} = {never_us:Int64}, NULL, fromUnixTimestamp64Micro({until_us:Int64}, 'UTC')), \
    nullIf({withdraws:String}, '')";

impl Client {
    /// Writes feedback, with a row of `audit` each. Needs the role `habitus_feedback`.
    pub async fn give(&self, feedback: &[Feedback]) -> Result<(), StoreError> {
        for it in feedback {
            let text = |text: &Option<String>| Value::Text(text.clone().unwrap_or_default());
            let values = vec![
                ("feedback_id", Value::Text(it.id())),
                ("given_us", Value::Int(us(it.given_at))),
                ("given_by", Value::Text(it.given_by.clone())),
                ("finding_id", Value::Text(it.finding_id.clone())),
                ("tenant_id", Value::Text(it.tenant_id.clone())),
                ("verdict", it.verdict.as_str().into()),
                ("reason", Value::Text(it.reason.clone())),
                ("scope", it.scope.as_str().into()),
                ("detector", Value::Text(it.detector.clone())),
                ("principal_id", text(&it.principal_id)),
                ("has_entity", Value::Int(i64::from(it.entity.is_some()))),
                ("entity", text(&it.entity)),
                ("until_us", Value::Int(it.until.map_or(NEVER_US, us))),
                ("never_us", Value::Int(NEVER_US)),
                ("withdraws", text(&it.withdraws)),
            ];
            self.execute_with(INSERT, &values).await?;
            self.audit(&feedback::audited(std::slice::from_ref(it))?).await?;
        }
        Ok(())
    }
}
