//! SQL of panels, variables and rules: texts of `queries/` with the parts that they share filled in.

/// One tenant or all. A value goes into SQL percent-encoded and is decoded by the server: what Grafana
/// escapes itself leaves backslashes as they are, and ClickHouse reads them as escapes.
const TENANT: &str =
    "$__conditionalAll(tenant_id = decodeURLComponent('${tenant:percentencode}'), $tenant)";
/// Whoever has this id; the empty text is nobody.
const NAMED: &str = "principal_id = decodeURLComponent('${identity:percentencode}')";
/// One identity: of the tenants that are chosen the first that has one of this id, since what two
/// tenants call alike is not the same.
const IDENTITY: &str = "{named} AND tenant_id = (SELECT min(tenant_id) FROM (\
    SELECT tenant_id FROM identities WHERE {tenant} AND {named} \
    UNION ALL SELECT tenant_id FROM findings WHERE {tenant} AND {named}))";
/// One detector or all.
const DETECTOR: &str =
    "$__conditionalAll(detector = decodeURLComponent('${detector:percentencode}'), $detector)";
/// One finding or all.
const FINDING: &str =
    "$__conditionalAll(finding_id = decodeURLComponent('${finding:percentencode}'), $finding)";
/// At least as severe; by number, so that a severity that is none is no error.
const SEVERITY: &str = "toInt8(severity) >= \
    indexOf(['info', 'low', 'medium', 'high', 'critical'], decodeURLComponent('${severity:percentencode}'))";
/// One application or all.
const APP: &str = "$__conditionalAll(app = decodeURLComponent('${app:percentencode}'), $app)";
/// One worker or all.
const WORKER: &str =
    "$__conditionalAll(worker = decodeURLComponent('${worker:percentencode}'), $worker)";
/// Findings of the time range. The window is what partitions hold: it begins at most 8 days before a
/// finding of it, with `foreign_object`, which looks at 7 days.
const DETECTED: &str = "window_start >= ($__fromTime_ms) - INTERVAL 8 DAY \
    AND window_start <= ($__toTime_ms) AND $__timeFilter_ms(detected_at)";
/// Findings of the time range and of the week before it: what rules say was written in that time may be of
/// an earlier event, and a replay of an older log is no news. The window begins at most 8 days earlier.
const RECENT: &str = "window_start >= ($__fromTime_ms) - INTERVAL 15 DAY \
    AND window_start <= ($__toTime_ms) AND detected_at >= ($__fromTime_ms) - INTERVAL 7 DAY";
/// Rows of the UTC days that the time range touches: the first is whole, as days are.
const DAYS_OF: &str =
    "day_start >= toStartOfDay($__fromTime_ms, 'UTC') AND day_start <= ($__toTime_ms)";
/// Windows of these days.
const WINDOWS_OF: &str = "window_start >= toStartOfDay($__fromTime_ms, 'UTC') \
    AND window_start < toStartOfDay($__toTime_ms, 'UTC') + INTERVAL 1 DAY";
/// The days of the time range, at most 400 of them.
const DAYS: &str = "arrayMap(it -> toDate($__fromTime_ms, 'UTC') + it, range(1 + least(399, \
    toUInt64(dateDiff('day', toDate($__fromTime_ms, 'UTC'), toDate($__toTime_ms, 'UTC'))))))";
/// The risk at the end of the day `at`, from `points` of days with a finding: it halves every 7 days.
const RISK_AT: &str = "arrayLast(it -> it.1 <= at, points).2 \
    * exp2(-dateDiff('day', arrayLast(it -> it.1 <= at, points).1, at) / 7)";

// The oldest versions 4 of the plugin look for the brackets of a macro as far as the text goes, so one
// that has none stands in brackets.

/// A text that may still have parts to be filled in, each written as `{name}`.
#[derive(Clone, Debug)]
pub(crate) struct Query(String);

/// The text of a file in `queries/`.
macro_rules! query {
    ($name:literal) => {
        $crate::query::Query::new(include_str!(concat!("../queries/", $name, ".sql")))
    };
}
pub(crate) use query;

impl Query {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.trim_end().to_owned())
    }

    /// Fills in a part of the text.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        Self(self.0.replace(&format!("{{{name}}}"), value))
    }

    /// The text, with what all of them share.
    pub(crate) fn sql(self) -> String {
        let shared = [
            ("identity", IDENTITY),
            ("named", NAMED),
            ("tenant", TENANT),
            ("detector", DETECTOR),
            ("finding", FINDING),
            ("severity", SEVERITY),
            ("app", APP),
            ("worker", WORKER),
            ("detected", DETECTED),
            ("recent", RECENT),
            ("days_of", DAYS_OF),
            ("windows_of", WINDOWS_OF),
            ("days", DAYS),
            ("risk_at", RISK_AT),
        ];
        let filled = shared.into_iter().fold(self, |query, (name, value)| query.with(name, value));
        filled.0
    }
}
