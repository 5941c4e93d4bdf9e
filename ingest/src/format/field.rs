//! What a field of a log can mean: the slot that it fills, how its value is read, whom it names.

use super::mapping::Clock;
use model::{Int, PrincipalTrust, PrincipalType, Text};

/// Where a format's field ends up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Slot {
    /// A text column, taken over as it is.
    Text(Text),
    /// An integer column.
    Int(Int),
    /// Something that columns are derived from.
    Raw(Raw),
}

/// What columns are derived from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Raw {
    /// The event's time, as text or number.
    Time,
    TimeKind,
    TimePrecision,
    /// `METHOD target PROTOCOL`.
    RequestLine,
    /// The request target, with its query: a path or a whole URL.
    Target,
    /// A whole URL: its host counts where no header gave one.
    Url,
    /// A host with an optional port.
    Host,
    /// `HTTP/1.1`.
    Protocol,
    /// The client as the gateway saw it, with an optional port.
    Client,
    /// The list of `X-Forwarded-For`.
    Forwarded,
    Traceparent,
    PrincipalType,
    PrincipalTrust,
    PrincipalSource,
    EndpointSource,
    SourceFormat,
    ParseFlags,
    /// Signs of injection that whoever wrote the record saw.
    InjectionClasses,
    /// Envoy's response flags.
    ResponseFlags,
    /// Whether the client certificate was verified.
    CertificateVerify,
    /// The issuer of the token whose subject is in `IdSubject`.
    Issuer,
    /// Who acts on the subject's behalf: the token's `act.sub`, who impersonates.
    Actor,
    /// On whose behalf that one acts in turn: `act.act.sub`.
    EarlierActor,
    /// The same once more: `act.act.act.sub`.
    EarliestActor,
    /// When the response ended, where the event's time is the request's start: the duration lies
    /// between them.
    EndTime,
    /// What only the format's `finish` reads; no column is filled from it.
    Aside,
    /// The same.
    AsideToo,
    /// The same.
    AsideThree,
    /// A list of OTLP resources: every log record and span in them is a record of its own.
    Telemetry,
    /// The header `Mcp-Method`: what the caller says that the body asks for.
    McpMethodHeader,
    /// The header `Mcp-Name`: the tool, prompt or resource that the caller says it names.
    McpNameHeader,
    // The identity candidates, in the order in which they are tried.
    IdOverride,
    IdSubject,
    IdConsumer,
    IdApplication,
    IdCredential,
    IdClient,
    IdCertificate,
    IdUser,
    IdSession,
}

impl Raw {
    /// The identity candidates, best first.
    pub(crate) const IDENTITIES: [Self; 9] = [
        Self::IdOverride,
        Self::IdSubject,
        Self::IdConsumer,
        Self::IdApplication,
        Self::IdCredential,
        Self::IdClient,
        Self::IdCertificate,
        Self::IdUser,
        Self::IdSession,
    ];

    /// The column that a person is told about.
    const fn column(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::TimeKind => "time_kind",
            Self::TimePrecision => "time_precision",
            Self::RequestLine => "http_request_method, url_path, url_query",
            Self::Target => "url_path, url_query",
            Self::Url => "url_scheme, server_address, server_port",
            Self::Host => "server_address, server_port",
            Self::Protocol => "network_protocol_version",
            Self::Client => "client_address, client_port",
            Self::Forwarded => "client_address (behind trusted proxies)",
            Self::Traceparent => "trace_id, span_id",
            Self::PrincipalType => "principal_type",
            Self::PrincipalTrust => "principal_trust",
            Self::PrincipalSource => "principal_source",
            Self::EndpointSource => "endpoint_source",
            Self::SourceFormat => "source_format",
            Self::ParseFlags => "parse_flags",
            Self::InjectionClasses => "injection_classes",
            Self::ResponseFlags => "parse_flags (client_abort)",
            Self::CertificateVerify => "principal_id (trust of the certificate)",
            Self::Issuer => "principal_id (issuer)",
            Self::EndTime => "duration_ns",
            Self::Aside | Self::AsideToo | Self::AsideThree => "(what the record is)",
            Self::Telemetry => "(one event for each record in it)",
            Self::McpMethodHeader => "mcp_method_name",
            Self::McpNameHeader => "tool_name, resource_uri",
            Self::Actor | Self::EarlierActor | Self::EarliestActor => "actor_chain",
            Self::IdOverride | Self::IdSubject | Self::IdConsumer | Self::IdUser => "principal_id",
            Self::IdApplication => "principal_id (application)",
            Self::IdCredential => "credential_id, principal_id",
            Self::IdClient => "client_app_id, principal_id",
            Self::IdCertificate => "tls_client_subject, principal_id",
            Self::IdSession => "session_id, principal_id",
        }
    }
}

impl Slot {
    /// How many slots there are; a record notes the filled ones in 128 bits.
    pub(crate) const COUNT: usize = Text::COUNT + Int::COUNT + Raw::IdSession as usize + 1;

    /// The slot's place in a record.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Text(column) => column as usize,
            Self::Int(column) => Text::COUNT + column as usize,
            Self::Raw(raw) => Text::COUNT + Int::COUNT + raw as usize,
        }
    }

    /// The canonical columns that the slot fills.
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Text(column) => column.as_str(),
            Self::Int(column) => column.as_str(),
            Self::Raw(raw) => raw.column(),
        }
    }

    /// Whether a number in this slot is kept as its digits.
    pub(crate) const fn is_text(self) -> bool {
        !matches!(self, Self::Int(_) | Self::Raw(Raw::Time | Raw::EndTime | Raw::ParseFlags))
    }
}

/// How a field's value is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum How {
    /// As it stands.
    Plain,
    /// A duration in seconds.
    Seconds,
    /// A duration in milliseconds.
    Millis,
    /// A duration in microseconds.
    Micros,
    /// A duration in nanoseconds.
    Nanos,
    /// A duration whose unit the value must show: its suffix, else whole milliseconds or seconds
    /// with decimals.
    Guess,
    /// A time that is the response's end.
    End,
    /// A yes or no of JSON, kept as its word; elsewhere such a value means nothing.
    Flag,
    /// A credential: only its keyed fingerprint is kept.
    Secret,
    /// A time as a declared format writes it.
    Clock(&'static Clock),
}

impl How {
    /// The unit as a person reads it.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Plain | Self::Flag => "",
            Self::Seconds => "seconds",
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
            Self::Guess => "by the value: suffix, whole = milliseconds, decimals = seconds",
            Self::End => "end of the response",
            Self::Secret => "kept as a fingerprint",
            Self::Clock(_) => "as declared",
        }
    }
}

/// What it means when an identity candidate is the one that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The rule's id, such as `kong.consumer.id`.
    pub(crate) source: &'static str,
    /// What the principal is.
    pub(crate) kind: PrincipalType,
    /// How far the log may be believed.
    pub(crate) trust: PrincipalTrust,
}

/// One field of a format. In a format's table, the earlier of two fields for one slot wins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// The field's name; `.` goes into an object and `[]` into each element of a list. A part `*` is any
    /// name that no other field has there.
    pub(crate) name: &'static str,
    /// What it fills.
    pub(crate) slot: Slot,
    /// How its value is read.
    pub(crate) how: How,
    /// For an identity candidate: what it means.
    pub(crate) rule: Option<Rule>,
}

impl Field {
    pub(crate) const fn text(name: &'static str, column: Text) -> Self {
        Self { name, slot: Slot::Text(column), how: How::Plain, rule: None }
    }

    pub(crate) const fn int(name: &'static str, column: Int) -> Self {
        Self { name, slot: Slot::Int(column), how: How::Plain, rule: None }
    }

    pub(crate) const fn span(name: &'static str, column: Int, how: How) -> Self {
        Self { name, slot: Slot::Int(column), how, rule: None }
    }

    pub(crate) const fn raw(name: &'static str, raw: Raw) -> Self {
        Self { name, slot: Slot::Raw(raw), how: How::Plain, rule: None }
    }

    pub(crate) const fn flag(name: &'static str, raw: Raw) -> Self {
        Self { name, slot: Slot::Raw(raw), how: How::Flag, rule: None }
    }

    pub(crate) const fn end(name: &'static str) -> Self {
        Self { name, slot: Slot::Raw(Raw::Time), how: How::End, rule: None }
    }

    pub(crate) const fn secret(self) -> Self {
        Self { how: How::Secret, ..self }
    }
}

/// An identity candidate: format, field, candidate, principal type, trust.
macro_rules! identity {
    ($format:literal, $name:literal, $raw:ident, $kind:ident, $trust:ident) => {
        crate::format::field::Field {
            name: $name,
            slot: crate::format::field::Slot::Raw(crate::format::field::Raw::$raw),
            how: crate::format::field::How::Plain,
            rule: Some(crate::format::field::Rule {
                source: concat!($format, ".", $name),
                kind: model::PrincipalType::$kind,
                trust: model::PrincipalTrust::$trust,
            }),
        }
    };
}
pub(crate) use identity;

/// The field that the operator named in the settings.
pub(crate) static OVERRIDE: Field = OVERRIDE_FIELD;

const OVERRIDE_FIELD: Field = Field {
    name: "principal_field",
    slot: Slot::Raw(Raw::IdOverride),
    how: How::Plain,
    rule: Some(Rule {
        source: "settings.principal_field",
        kind: PrincipalType::User,
        trust: PrincipalTrust::Asserted,
    }),
};

/// The same where the field's name says that it holds a credential.
pub(crate) static SECRET_OVERRIDE: Field = OVERRIDE_FIELD.secret();
