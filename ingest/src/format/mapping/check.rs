//! Whether a declared format can be used, and what it then is; an error names the setting and the cure.

use super::clock::Clock;
use super::layout::{COLUMNS_MAX, DELIMITER_BYTES_MAX, Layout, PASSED_OVER, Template, is_name};
use super::{Is, Mapping, MappingError, Place, Principal};
use crate::format::FormatId;
use crate::format::field::{How, Raw, Rule, Slot};
use model::{Int, Text};

/// Fields that a format may name, in all.
const FIELDS_MAX: usize = 128;
/// Bytes of a field's name.
const NAME_BYTES_MAX: usize = 128;
/// Dots in a field's name: as deep as objects are looked into.
const DOTS_MAX: usize = 8;
/// Names that a signature has: one alone may stand in any log.
const SIGNATURE_NAMES: std::ops::RangeInclusive<usize> = 2..=8;
/// Bytes of the line that says what a format is.
const ABOUT_BYTES_MAX: usize = 200;

/// What columns are derived from, by the names that a mapping has for it.
const DERIVED: [(&str, Raw); 13] = [
    ("certificate_verify", Raw::CertificateVerify),
    ("client_address", Raw::Client),
    ("end_time", Raw::EndTime),
    ("forwarded_for", Raw::Forwarded),
    ("network_protocol_version", Raw::Protocol),
    ("request_line", Raw::RequestLine),
    ("server_address", Raw::Host),
    ("time", Raw::Time),
    ("token_issuer", Raw::Issuer),
    ("traceparent", Raw::Traceparent),
    ("url", Raw::Url),
    // A log has it with its escapes, and perhaps with its query.
    ("url_original", Raw::Target),
    ("url_path", Raw::Target),
];

/// Columns of who called, which `principals` fills.
const OF_PRINCIPALS: [Text; 6] = [
    Text::ClientAppId,
    Text::CredentialId,
    Text::PrincipalClaimed,
    Text::PrincipalId,
    Text::SessionId,
    Text::TlsClientSubject,
];
/// Columns that are always derived.
const NEVER: [Text; 2] = [Text::ClientNet, Text::NetworkPeerAddress];

/// A declared format that can be used.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) fields: Vec<Wanted>,
    pub(super) layout: Option<Layout>,
    pub(super) clock: Option<Clock>,
}

/// A field that is read.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) slot: Slot,
    pub(super) how: How,
    pub(super) rule: Option<Rule>,
}

/// What is wrong with a setting of a format.
pub(super) fn wrong(name: &str, key: &str, why: &str, cure: &str) -> MappingError {
    MappingError {
        name: name.to_owned(),
        key: key.to_owned(),
        why: why.to_owned(),
        cure: cure.to_owned(),
    }
}

/// Checks one declared format.
pub(super) fn check(name: &str, mapping: &Mapping) -> Result<Checked, MappingError> {
    let wrong = |key: &str, why: &str, cure: &str| Err(wrong(name, key, why, cure));
    let is_plain = name.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if !is_plain || !(1..=64).contains(&name.len()) {
        return wrong("", "is no name", "write lower-case letters, digits and `_`, 64 at most");
    }
    if FormatId::built_in(name).is_some() {
        return wrong("", "is the name of a format that is built in", "give it another name");
    }
    if mapping.about.len() > ABOUT_BYTES_MAX || mapping.about.contains(char::is_control) {
        return wrong("about", "is too long or has more than one line", "write 200 bytes at most");
    }
    let layout = layout(name, mapping)?;
    signature(name, mapping, layout.is_some())?;
    let clock = Clock::parse(&mapping.time_format, &mapping.time_zone)
        .map_err(|(key, cure)| self::wrong(name, key, "cannot be read", cure))?;
    let fields = fields(name, mapping)?;
    if fields.len() > FIELDS_MAX {
        return wrong("fields", "names more than 128 fields", "leave out what is not needed");
    }
    if let Some(layout) = &layout {
        for wanted in &fields {
            if !layout.columns().any(|it| it == wanted.name) {
                let why = format!("uses `{}`, which the line does not have", wanted.name);
                let known: Vec<_> = layout.columns().filter(|it| *it != PASSED_OVER).collect();
                return wrong("fields", &why, &format!("the line has {}", known.join(", ")));
            }
        }
    }
    whole(name, &fields)?;
    Ok(Checked { fields, layout, clock })
}

/// How a line of text is laid out; nothing for JSON.
fn layout(name: &str, mapping: &Mapping) -> Result<Option<Layout>, MappingError> {
    let wrong = |key: &str, why: &str, cure: &str| Err(wrong(name, key, why, cure));
    let Mapping { template, delimiter, columns, .. } = mapping;
    match (template.is_empty(), delimiter.is_empty()) {
        (false, false) => {
            wrong("delimiter", "stands beside `template`", "keep one; JSON needs neither")
        }
        (true, true) if !columns.is_empty() => wrong(
            "columns",
            "has no `delimiter`",
            "write what stands between them, such as \"\\t\"",
        ),
        (true, true) => Ok(None),
        (false, true) if !columns.is_empty() => {
            wrong("columns", "stands beside `template`", "leave it out: the template has the names")
        }
        (false, true) => match Template::parse(template) {
            Ok(template) => Ok(Some(Layout::Template(template))),
            Err(cure) => wrong("template", "cannot be read", cure),
        },
        (true, false) if delimiter.len() > DELIMITER_BYTES_MAX => {
            wrong("delimiter", "is longer than 8 bytes", "write what stands between two columns")
        }
        (true, false) if delimiter.contains(['"', '\\']) => {
            wrong("delimiter", "holds a quote or a backslash", "use `template` for such lines")
        }
        (true, false) if !(2..=COLUMNS_MAX).contains(&columns.len()) => wrong(
            "columns",
            "has not 2 to 64 names",
            "name every column in its order, `_` for none",
        ),
        (true, false) => match columns.iter().find(|it| !is_name(it)) {
            Some(column) => wrong(
                "columns",
                &format!("has `{}`", column.escape_debug()),
                "name columns in letters, digits, `_`, `-` and `.`",
            ),
            None => Ok(Some(Layout::Delimited(delimiter.clone(), columns.clone()))),
        },
    }
}

fn signature(name: &str, mapping: &Mapping, is_text: bool) -> Result<(), MappingError> {
    let names = &mapping.signature;
    let wrong = |why: &str, cure: &str| Err(wrong(name, "signature", why, cure));
    if names.is_empty() {
        return Ok(());
    }
    if is_text {
        return wrong("is for JSON", "leave it out: a line is recognised by its whole form");
    }
    if !SIGNATURE_NAMES.contains(&names.len()) {
        return wrong(
            "has not 2 to 8 names",
            "name fields at the top of the record that no other log has together",
        );
    }
    match names.iter().find(|it| !(1..=NAME_BYTES_MAX).contains(&it.len())) {
        Some(_) => wrong("has a name of no or too many bytes", "write 1 to 128 bytes"),
        None => Ok(()),
    }
}

/// Every field that is read, the better ones first where several fill one slot.
fn fields(name: &str, mapping: &Mapping) -> Result<Vec<Wanted>, MappingError> {
    let mut fields = Vec::new();
    for (column, place) in &mapping.fields {
        let key = format!("fields.{column}");
        let slot = slot(column).map_err(|cure| wrong(name, &key, "is no column", cure))?;
        let how = how(slot, place).map_err(|(why, cure)| wrong(name, &key, why, cure))?;
        if place.field.is_empty() {
            return Err(wrong(name, &key, "names no field", "write the name of one"));
        }
        for field in &place.field {
            is_field(name, &key, field)?;
            fields.push(Wanted { name: field.clone(), slot, how, rule: None });
        }
    }
    for Principal { field, is, trust, secret } in &mapping.principals {
        is_field(name, "principals", field)?;
        let (raw, rule) = is.meaning(trust.of_principal());
        let is_secret = *secret || *is == Is::Session;
        let how = if is_secret { How::Secret } else { How::Plain };
        fields.push(Wanted { name: field.clone(), slot: Slot::Raw(raw), how, rule: Some(rule) });
    }
    Ok(fields)
}

fn is_field(name: &str, key: &str, field: &str) -> Result<(), MappingError> {
    if !(1..=NAME_BYTES_MAX).contains(&field.len()) {
        return Err(wrong(name, key, "has a name of no or too many bytes", "write 1 to 128 bytes"));
    }
    if field.matches('.').count() > DOTS_MAX {
        return Err(wrong(name, key, "has a name of more than 8 dots", "name what is not so deep"));
    }
    if field.contains("[]") || field == PASSED_OVER {
        let why = format!("names `{field}`");
        return Err(wrong(name, key, &why, "name one value; lists of calls cannot be declared"));
    }
    Ok(())
}

/// The slot that a column's name stands for, or what to write instead.
fn slot(column: &str) -> Result<Slot, &'static str> {
    if let Some((_, raw)) = DERIVED.iter().find(|(name, _)| *name == column) {
        return Ok(Slot::Raw(*raw));
    }
    if let Some(column) = Int::ALL.iter().find(|it| it.as_str() == column) {
        return Ok(Slot::Int(*column));
    }
    match Text::ALL.iter().copied().find(|it| it.as_str() == column) {
        Some(text) if OF_PRINCIPALS.contains(&text) => {
            Err("name the field in `principals`, with what it is and how far it is to be believed")
        }
        Some(text) if NEVER.contains(&text) => {
            Err("leave it out: it is derived from client_address and forwarded_for")
        }
        Some(text) => Ok(Slot::Text(text)),
        None => Err(
            "write one of docs/events.md, or time, end_time, request_line, url, forwarded_for, traceparent, \
             certificate_verify or token_issuer",
        ),
    }
}

/// How the values of a column are read; durations have a unit, and nothing else has.
fn how(slot: Slot, place: &Place) -> Result<How, (&'static str, &'static str)> {
    let is_duration = matches!(slot, Slot::Int(Int::DurationNs | Int::UpstreamDurationNs));
    match (is_duration, place.unit) {
        (true, Some(unit)) => Ok(unit.how()),
        (true, None) => Err((
            "has no unit",
            "write { field = \"…\", unit = \"milliseconds\" }, or seconds, microseconds, nanoseconds",
        )),
        (false, Some(_)) if matches!(slot, Slot::Raw(Raw::Time | Raw::EndTime)) => {
            Err(("has a unit", "say it in `time_format`"))
        }
        (false, Some(_)) => Err(("has a unit", "leave it out: only durations have one")),
        (false, None) => Ok(How::Plain),
    }
}

/// Whether the fields make an event: a time, and a status or a method and a path.
fn whole(name: &str, fields: &[Wanted]) -> Result<(), MappingError> {
    let has = |slot| fields.iter().any(|it| it.slot == slot);
    if !has(Slot::Raw(Raw::Time)) {
        return Err(wrong(name, "fields", "has no time", "add `time = \"…\"`"));
    }
    let has_target = has(Slot::Raw(Raw::Target)) || has(Slot::Raw(Raw::Url));
    let has_method = has(Slot::Text(Text::HttpRequestMethod));
    let is_call = has(Slot::Int(Int::HttpResponseStatusCode))
        || has(Slot::Raw(Raw::RequestLine))
        || has(Slot::Text(Text::McpMethodName))
        || (has_method && (has_target || has(Slot::Text(Text::HttpRoute))));
    if is_call {
        return Ok(());
    }
    Err(wrong(
        name,
        "fields",
        "says neither what was asked nor what was answered",
        "add http_response_status_code, or request_line, or http_request_method and url_path",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::mapping::{TimeIs, Trust, Unit};

    fn place(name: &str) -> Place {
        Place { field: vec![name.to_owned()], unit: None }
    }

    fn good() -> Mapping {
        let fields = [("time", "ts"), ("http_response_status_code", "status")];
        Mapping {
            fields: fields.map(|(column, name)| (column.to_owned(), place(name))).into(),
            ..Mapping::default()
        }
    }

    #[track_caller]
    fn refused(name: &str, change: impl FnOnce(&mut Mapping), expected: &str) {
        let mut mapping = good();
        change(&mut mapping);
        let said = check(name, &mapping).map(|_| ()).map_err(|it| it.to_string());
        assert!(said.as_ref().is_err_and(|it| it.starts_with(expected)), "{said:?}");
    }

    #[test]
    fn what_can_be_used_is_accepted() {
        let mut mapping = Mapping { time_is: TimeIs::End, ..good() };
        let duration = Place { unit: Some(Unit::Milliseconds), ..place("took") };
        mapping.fields.insert("duration_ns".to_owned(), duration);
        mapping.principals.push(Principal {
            field: "sid".to_owned(),
            is: Is::Session,
            trust: Trust::Asserted,
            secret: false,
        });
        let checked = check("my_gateway", &mapping).expect("a format");
        let hows: Vec<_> = checked.fields.iter().map(|it| it.how).collect();
        assert_eq!(hows, [How::Millis, How::Plain, How::Plain, How::Secret]);
        mapping.principals.clear();
        mapping.template = "<ts> <status> <took>".to_owned();
        assert!(check("my_gateway", &mapping).is_ok_and(|it| it.layout.is_some()));
    }

    #[test]
    fn what_cannot_is_refused_with_the_setting_and_the_cure() {
        refused("My", |_| {}, "`format.My` is no name: write lower-case letters");
        refused("kong", |_| {}, "`format.kong` is the name of a format that is built in");
        refused("x", |it| drop(it.fields.remove("time")), "`format.x.fields` has no time: add");
        refused(
            "x",
            |it| drop(it.fields.remove("http_response_status_code")),
            "`format.x.fields` says neither",
        );
        refused(
            "x",
            |it| drop(it.fields.insert("staus".to_owned(), place("s"))),
            "`format.x.fields.staus` is no column: write one of docs/events.md",
        );
        refused(
            "x",
            |it| drop(it.fields.insert("principal_id".to_owned(), place("s"))),
            "`format.x.fields.principal_id` is no column: name the field in `principals`",
        );
        refused(
            "x",
            |it| drop(it.fields.insert("duration_ns".to_owned(), place("s"))),
            "`format.x.fields.duration_ns` has no unit: write {",
        );
        refused(
            "x",
            |it| it.time_format = "%Q".to_owned(),
            "`format.x.time_format` cannot be read: write seconds",
        );
        refused(
            "x",
            |it| it.signature = vec!["ts".to_owned()],
            "`format.x.signature` has not 2 to 8 names",
        );
        refused(
            "x",
            |it| it.template = "<ts> <code>".to_owned(),
            "`format.x.fields` uses `status`, which the line does not have: the line has ts, code",
        );
        refused(
            "x",
            |it| it.columns = vec!["ts".to_owned()],
            "`format.x.columns` has no `delimiter`",
        );
    }
}
