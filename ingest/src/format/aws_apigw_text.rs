//! The text templates of AWS API Gateway's access log: CLF, CSV and XML, as its console offers them.

use super::field::{Field, Raw, identity};
use super::line::{Line, fill, is_date, is_number, is_status, split_at_last_mark};
use super::record::Record;
use super::{Format, Reader, address};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "aws_apigw_text",
    about: "AWS API Gateway access logs by its CLF, CSV and XML templates",
    aliases: &["aws_apigw_clf"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    // When API Gateway received the request.
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("identity.sourceIp", Raw::Client),
    // Both are there only where IAM checked a signature.
    identity!("aws_apigw_text", "identity.user", IdUser, User, Verified),
    identity!("aws_apigw_text", "identity.caller", IdUser, User, Verified),
    Field::raw("requestTime", Raw::Time),
    Field::text("httpMethod", Text::HttpRequestMethod),
    Field::text("resourcePath", Text::HttpRoute),
    Field::raw("resourcePath (without parameters)", Raw::Target),
    Field::raw("protocol", Raw::Protocol),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::int("responseLength", Int::HttpResponseSize),
    Field::text("requestId", Text::RequestId),
];

/// The values of a line, by the names of its template.
#[derive(Clone, Copy, Default)]
struct Values<'a> {
    client: &'a str,
    caller: &'a str,
    user: &'a str,
    time: &'a str,
    method: &'a str,
    route: &'a str,
    protocol: &'a str,
    status: &'a str,
    length: &'a str,
    id: &'a str,
}

fn looks(line: &str) -> bool {
    match line.as_bytes() {
        [b'<', ..] => line.starts_with("<request id="),
        _ => tail(line).is_some() || line.split(',').nth(3).is_some_and(is_date),
    }
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let line = line.trim_ascii();
    let found = clf(line).or_else(|| csv(line)).or_else(|| xml(line));
    let it = found.filter(|it| address::parse(it.client).is_some() && is_date(it.time));
    let it = it.ok_or(Reject::UnknownFormat)?;
    // The route of an HTTP API has its method before the path.
    let route = it.route.split_once(' ').map_or(it.route, |(_, path)| path);
    let path = if route.contains('{') || !route.starts_with('/') { "" } else { route };
    fill(
        record,
        FIELDS,
        &[
            it.client,
            it.user,
            it.caller,
            it.time,
            it.method,
            route,
            path,
            it.protocol,
            it.status,
            it.length,
            it.id,
        ],
    );
    Ok(())
}

/// What stands behind the request: status, length, id; and the line before them. A second id may
/// follow.
fn tail(line: &str) -> Option<(Line<'_>, [&str; 3])> {
    let mut line = Line(line.trim_ascii());
    let mut id = line.last_word().filter(|it| is_id(it))?;
    let mut length = line.last_word()?;
    if is_id(length) {
        (id, length) = (length, line.last_word()?);
    }
    let status = line.last_word()?;
    let is_it = line.0.ends_with('"')
        && (is_number(length) || length == "-")
        && (is_status(status) || status == "-");
    is_it.then_some((line, [status, length, id]))
}

/// A request's id: a UUID (or one that was replaced), or 16 characters of Base64 of which the last is
/// `=`.
fn is_id(text: &str) -> bool {
    let is_uuid = |it: &str| {
        it.len() == 36
            && it.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    let is_base64 = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'+' | b'/');
    let extended = text.strip_suffix('=').filter(|it| (14..20).contains(&it.len()));
    extended.is_some_and(|it| it.bytes().all(is_base64))
        || is_uuid(text)
        || text.strip_suffix("_REPLACED_INVALID_REQUEST_ID").is_some_and(is_uuid)
}

/// `ip caller user [time] "METHOD path PROTOCOL" status length id`; the template for REST APIs has no
/// space between bracket and quote.
fn clf(line: &str) -> Option<Values<'_>> {
    let (line, [status, length, id]) = tail(line)?;
    let (head, request) = line.0.strip_suffix('"')?.split_once('"')?;
    let (callers, time) = split_at_last_mark(head.trim_ascii_end().strip_suffix(']')?, " [")?;
    let mut callers = Line(callers);
    let (client, caller) = (callers.word()?, callers.word()?);
    let (method, rest) = request.split_once(' ')?;
    let (route, protocol) = rest.rsplit_once(' ')?;
    Some(Values {
        client,
        caller,
        user: callers.0,
        time,
        method,
        route,
        protocol,
        status,
        length,
        id,
    })
}

/// The ten columns, and perhaps a second id.
fn csv(line: &str) -> Option<Values<'_>> {
    let mut columns = line.split(',').map(str::trim);
    let mut next = || columns.next();
    let (client, caller, user, time) = (next()?, next()?, next()?, next()?);
    let (method, route, protocol) = (next()?, next()?, next()?);
    let (status, length, id) = (next()?, next()?, next()?);
    let is_it = is_status(status) && (is_number(length) || length == "-");
    is_it.then_some(Values {
        client,
        caller,
        user,
        time,
        method,
        route,
        protocol,
        status,
        length,
        id,
    })
}

/// `<request id="…"> <ip>…</ip> …`
fn xml(line: &str) -> Option<Values<'_>> {
    let (id, rest) = line.strip_prefix("<request id=\"")?.split_once('"')?;
    let mut found = Values { id, ..Values::default() };
    // Each element ends where the next one's name begins.
    for part in rest.split('<') {
        let Some((name, value)) = part.split_once('>') else { continue };
        let place = match name {
            "ip" => &mut found.client,
            "caller" => &mut found.caller,
            "user" => &mut found.user,
            "requestTime" => &mut found.time,
            "httpMethod" => &mut found.method,
            "resourcePath" | "routeKey" => &mut found.route,
            "protocol" => &mut found.protocol,
            "status" => &mut found.status,
            "responseLength" => &mut found.length,
            _ => continue,
        };
        // What a caller wrote in an element stands behind those that are not the caller's.
        if place.is_empty() {
            *place = value;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::AwsApigwText, line, expected);
    }

    const EXPECTED: [&str; 11] = [
        "time=2026-03-10T03:36:59Z",
        "time_kind=start",
        "client_address=192.0.2.1",
        "principal_type=ip",
        "http_request_method=GET",
        "http_route=/pets/{petId}",
        "endpoint_source=route",
        "network_protocol_version=1.1",
        "http_response_status_code=200",
        "http_response_size=1024",
        "request_id=c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    ];
    const ID: &str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef";

    #[test]
    fn every_template_of_the_console_is_read() {
        let time = "10/Mar/2026:03:36:59 +0000";
        let clf = format!(r#"192.0.2.1 - - [{time}]"GET /pets/{{petId}} HTTP/1.1" 200 1024 {ID}"#);
        check(&clf, &EXPECTED);
        check(&format!("{clf} JKJaXmPLvHcESHA="), &EXPECTED);
        check(&clf.replace("GET /pets", "GET GET /pets"), &EXPECTED);
        check(
            &format!("192.0.2.1,-,-,{time},GET,/pets/{{petId}},HTTP/1.1,200,1024,{ID}"),
            &EXPECTED,
        );
        check(
            &format!(
                r#"<request id="{ID}"> <ip>192.0.2.1</ip> <caller>-</caller> <user>-</user> <requestTime>{time}</requestTime> <httpMethod>GET</httpMethod> <resourcePath>/pets/{{petId}}</resourcePath> <status>200</status> <protocol>HTTP/1.1</protocol> <responseLength>1024</responseLength> </request>"#
            ),
            &EXPECTED,
        );
    }

    #[test]
    fn the_first_value_of_an_element_counts() {
        check(
            &format!(
                r#"<request id="{ID}"> <ip>192.0.2.1</ip> <caller>-</caller> <user>-</user> <requestTime>10/Mar/2026:03:36:59 +0000</requestTime> <httpMethod>GET</httpMethod> <resourcePath>/pets<ip>9.9.9.9</ip><user>admin</user></resourcePath> <status>200</status> <protocol>HTTP/1.1</protocol> <responseLength>1024</responseLength> <status>500</status> </request>"#
            ),
            &["client_address=192.0.2.1", "http_response_status_code=200", "principal_type=ip"],
        );
    }

    #[test]
    fn a_signed_call_names_its_user() {
        check(
            r#"2001:db8::1 AIDACALLER AIDAUSER [10/Mar/2026:03:36:59 +0000] "GET /pets HTTP/1.1" 403 23 JKJaXmPLvHcESHA="#,
            &[
                "principal_id=AIDAUSER",
                "principal_trust=verified",
                "principal_source=aws_apigw_text.identity.user",
                "url_path=/pets",
                "request_id=JKJaXmPLvHcESHA=",
            ],
        );
    }

    #[test]
    fn common_lines_are_not_of_this_kind() {
        for line in [
            r#"192.0.2.1 - - [10/Mar/2026:03:36:59 +0000] "GET /pets HTTP/1.1" 200 1024"#,
            r#"192.0.2.1 - - [10/Mar/2026:03:36:59 +0000] "GET /pets HTTP/1.1" 200 1024 77"#,
            r#"192.0.2.1 - - [10/Mar/2026:03:36:59 +0000] "GET /pets HTTP/1.1" 200 1024 "-" "a JKJaXmPLvHcESHA=""#,
            "a,b,c,d",
        ] {
            assert!(!super::looks(line), "{line}");
        }
    }
}
