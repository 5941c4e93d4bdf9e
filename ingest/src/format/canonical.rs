//! Canonical events as NDJSON: the columns of an event by their own names. Only `time` is needed.

use super::field::{Field, Raw};
use super::{Format, Reader, nothing};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "canonical",
    about: "canonical events as NDJSON, as `habitus normalize` writes them",
    aliases: &["habitus"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["time", "principal_id"],
            &["time", "url_path"],
            &["time", "http_request_method"],
            &["time", "http_response_status_code"],
            &["time", "http_route"],
            &["time", "mcp_method_name"],
        ],
        finish: nothing,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: false,
    forwarded_only: false,
};

/// The columns with a value of their own, then those of [`Text`] and [`Int`].
const OWN: [Field; 10] = [
    Field::raw("time", Raw::Time),
    Field::raw("time_kind", Raw::TimeKind),
    Field::raw("time_precision", Raw::TimePrecision),
    Field::raw("principal_type", Raw::PrincipalType),
    Field::raw("principal_trust", Raw::PrincipalTrust),
    Field::raw("principal_source", Raw::PrincipalSource),
    Field::raw("endpoint_source", Raw::EndpointSource),
    Field::raw("source_format", Raw::SourceFormat),
    Field::raw("parse_flags", Raw::ParseFlags),
    Field::raw("injection_classes", Raw::InjectionClasses),
];

const COUNT: usize = OWN.len() + Text::COUNT + Int::COUNT;

static FIELDS: &[Field] = &{
    let mut fields = [OWN[0]; COUNT];
    let mut index = 0;
    while index < COUNT {
        fields[index] = if index < OWN.len() {
            OWN[index]
        } else if index < OWN.len() + Text::COUNT {
            column(Text::ALL[index - OWN.len()])
        } else {
            let column = Int::ALL[index - OWN.len() - Text::COUNT];
            Field::int(column.as_str(), column)
        };
        index += 1;
    }
    fields
};

/// Two text columns are split or folded when they are read.
const fn column(column: Text) -> Field {
    match column {
        Text::ServerAddress => Field::raw("server_address", Raw::Host),
        Text::NetworkProtocolVersion => Field::raw("network_protocol_version", Raw::Protocol),
        _ => Field::text(column.as_str(), column),
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Canonical, line, expected);
    }

    #[test]
    fn only_the_time_is_needed() {
        check(
            r#"{"time":"2024-01-01T00:00:00.000000Z"}"#,
            &[
                "principal_id=anonymous",
                "principal_type=anonymous",
                "endpoint=- -",
                "time_precision=us",
                "tenant_id=default",
            ],
        );
        check(r#"{"principal_id":"a"}"#, &["reject=no_time"]);
    }

    #[test]
    fn what_is_absent_is_derived() {
        check(
            r#"{"time":"2024-01-01T00:00:00Z","principal_id":"pu1","http_route":"/date","url_path":"/date","http_request_method":"POST","http_response_status_code":200,"client_address":"1.2.3.4"}"#,
            &[
                "principal_id=pu1",
                "principal_type=user",
                "principal_trust=asserted",
                "principal_source=canonical.principal_id",
                "endpoint=POST /date",
                "endpoint_source=route",
                "client_net=1.2.3.0/24",
            ],
        );
        check(
            r#"{"time":"2024-01-01T00:00:00Z","principal_id":"1.2.3.4","client_address":"1.2.3.4"}"#,
            &["principal_type=ip", "principal_trust=inferred"],
        );
    }

    #[test]
    fn refused_credentials_count_for_the_source_unless_verified() {
        let line = |more: &str| {
            format!(
                r#"{{"time":"2024-01-01T00:00:00Z","principal_id":"a","client_address":"1.2.3.4","http_response_status_code":401{more}}}"#
            )
        };
        check(
            &line(""),
            &["principal_id=1.2.3.4", "principal_trust=claimed", "principal_claimed=a"],
        );
        check(
            &line(r#","principal_trust":"verified""#),
            &["principal_id=a", "principal_trust=verified"],
        );
    }

    #[test]
    fn a_given_endpoint_is_kept() {
        check(
            r#"{"time":"2024-01-01T00:00:00Z","endpoint":"listOrders","url_path":"/x/7"}"#,
            &["endpoint=listOrders", "endpoint_source=operation"],
        );
    }
}
