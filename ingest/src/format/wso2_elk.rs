//! WSO2 API Manager's analytics file: `… apimMetrics: apim:response, properties :{…}`.

use super::record::Record;
use super::wso2::{FIELDS, finish};
use super::{Format, Reader};
use crate::json::{self, Table};
use crate::reject::Reject;
use model::TimeKind;
use std::sync::LazyLock;

pub(super) static FORMAT: Format = Format {
    name: "wso2_elk",
    about: "WSO2 API Manager analytics events as lines of apim_metrics.log",
    aliases: &["apim_metrics"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

/// What stands before an event, behind the logger's own date and level.
const MARK: &str = "apimMetrics:";
/// Bytes in which the mark begins.
const HEAD_BYTES_MAX: usize = 160;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(FIELDS, ""));

fn looks(line: &str) -> bool {
    line.starts_with(['[', 'a', 'T']) && event(line).is_some()
}

/// The JSON of an event.
fn event(line: &str) -> Option<&str> {
    let head = line.get(..line.floor_char_boundary(HEAD_BYTES_MAX))?;
    let (at, _) = head.match_indices(MARK).next()?;
    let rest = line.get(at + MARK.len()..)?;
    rest.get(rest.find('{')?..)
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let event = event(line).ok_or(Reject::UnknownFormat)?.trim_ascii_end();
    json::read(event, &TABLE, record, &mut |_| {}).map_err(|_| Reject::MalformedJson)?;
    finish(record);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::check::check;

    #[test]
    fn the_event_stands_behind_the_loggers_head() {
        check(
            FormatId::Wso2Elk,
            r#"[2026-03-10 03:36:59,456]  INFO ELKCounterMetric apimMetrics: apim:response, properties :{"apiName":"API1","apiMethod":"GET","apiResourceTemplate":"/orders/{id}","proxyResponseCode":200,"requestTimestamp":"2026-03-10T03:36:59.123Z","responseLatency":25,"applicationId":"app-1","userIp":"203.0.113.9"}"#,
            &[
                "time=2026-03-10T03:36:59.123Z",
                "http_route=/orders/{id}",
                "principal_id=app-1",
                "principal_source=wso2.applicationId",
                "source_format=wso2_elk",
            ],
        );
        check(FormatId::Wso2Elk, "[2026-03-10 03:36:59,456] INFO Gateway started", &["events=0"]);
    }
}
