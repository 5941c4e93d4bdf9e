//! The formats that are read: one module and one line of the table each.

mod address;
mod agentgateway;
mod agentgateway_json;
mod akamai;
mod akamai_text;
mod anthropic_activity;
mod apisix;
mod aws_alb;
mod aws_alb_json;
mod aws_apigw;
mod aws_apigw_text;
mod aws_cloudfront;
mod aws_cloudfront_json;
mod aws_cloudfront_rt;
mod aws_cloudtrail;
mod aws_elb;
mod azure_apim;
mod azure_app_gateway;
mod azure_front_door;
mod caddy;
mod call;
mod canonical;
mod cef;
#[cfg(test)]
pub(crate) mod check;
mod claims;
mod clf;
mod cloudflare;
pub(crate) mod columns;
mod contextforge;
mod ecs;
mod envoy;
mod envoy_json;
pub(crate) mod event;
mod fastly_json;
pub(crate) mod field;
mod gcp_api_gateway;
mod gcp_audit;
mod gcp_http_lb;
mod generic_json;
mod gin;
mod gravitee;
mod haproxy;
#[cfg(test)]
pub(crate) mod hostile;
mod istio;
mod k8s_audit;
mod kong;
mod leef;
mod line;
mod litellm;
pub(crate) mod mapping;
mod mcp;
pub(crate) mod measure;
mod nginx_json;
mod oathkeeper;
mod ocsf;
mod openai_audit;
mod otlp;
mod reactor_netty;
pub(crate) mod record;
mod request;
#[cfg(test)]
pub(crate) mod samples;
mod siem;
mod traefik;
mod traefik_json;
mod tyk;
mod w3c;
mod wso2;
mod wso2_elk;

pub(crate) use address::Network;
pub(crate) use columns::Columns;
pub use mapping::{
    Declared, Is, Mapping, MappingError, Place, Principal, TimeIs, Trust, Unit, declare, verify,
};

use crate::reject::Reject;
use field::Field;
use model::TimeKind;
use record::Record;

macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident => $module:ident;)+) => {
        /// A format of access logs.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum FormatId {
            $($(#[$doc])* $variant,)+
            /// One that the operator declared.
            Declared(Declared),
        }

        /// The formats that are built in, by number.
        enum Number { $($variant),+ }

        impl FormatId {
            /// Every format that is built in; where two recognise a record, the earlier one reads it.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(crate) fn format(self) -> &'static Format {
                match self {
                    $(Self::$variant => &$module::FORMAT,)+
                    Self::Declared(it) => it.format(),
                }
            }

            /// The format's place in tables: those built in, then those declared.
            pub(crate) fn index(self) -> usize {
                match self {
                    $(Self::$variant => Number::$variant as usize,)+
                    Self::Declared(it) => Self::ALL.len() + it.index(),
                }
            }
        }
    };
}

formats! {
    /// The columns of an event by their own names.
    Canonical => canonical;
    /// Kong's log plugins.
    Kong => kong;
    /// Apache APISIX's log plugins.
    Apisix => apisix;
    /// Traefik's access log in JSON.
    TraefikJson => traefik_json;
    /// Caddy's access log.
    Caddy => caddy;
    /// Tyk's analytics records.
    Tyk => tyk;
    /// Gravitee's reporters.
    Gravitee => gravitee;
    /// Ory Oathkeeper's decisions.
    Oathkeeper => oathkeeper;
    /// Fastly's JSON templates.
    FastlyJson => fastly_json;
    /// WSO2 API Manager's analytics events.
    Wso2 => wso2;
    /// Google's API Gateway and Cloud Endpoints: before any other log entry of Google's.
    GcpApiGateway => gcp_api_gateway;
    /// Google's audit logs: before its request logs, which have another payload.
    GcpAudit => gcp_audit;
    /// Google's load balancers, and its other logs of requests.
    GcpHttpLb => gcp_http_lb;
    /// CloudTrail's events.
    AwsCloudtrail => aws_cloudtrail;
    /// Kubernetes' audit events.
    K8sAudit => k8s_audit;
    /// OpenTelemetry's logs and spans.
    Otlp => otlp;
    /// OCSF's HTTP and API activities.
    Ocsf => ocsf;
    /// Cloudflare's log of requests.
    Cloudflare => cloudflare;
    /// Akamai's DataStream.
    Akamai => akamai;
    /// Azure API Management: it and the next two share Azure's envelope, and the names inside it, which
    /// no two of them have, tell them apart.
    AzureApim => azure_apim;
    /// Azure Front Door.
    AzureFrontDoor => azure_front_door;
    /// Azure Application Gateway.
    AzureAppGateway => azure_app_gateway;
    /// CloudFront's logs in JSON.
    AwsCloudfrontJson => aws_cloudfront_json;
    /// The load balancers of AWS, as shippers make them JSON.
    AwsAlbJson => aws_alb_json;
    /// LiteLLM's calls of models and tools.
    Litellm => litellm;
    /// OpenAI's organisation audit log.
    OpenaiAudit => openai_audit;
    /// Anthropic's activity feed.
    AnthropicActivity => anthropic_activity;
    /// IBM ContextForge's audit rows.
    Contextforge => contextforge;
    /// agentgateway's request log in JSON.
    AgentgatewayJson => agentgateway_json;
    /// Envoy's and Envoy Gateway's JSON access log.
    EnvoyJson => envoy_json;
    /// NGINX with a JSON template.
    NginxJson => nginx_json;
    /// JSON templates of AWS API Gateway, whose names are those that many use.
    AwsApigw => aws_apigw;
    /// The Elastic Common Schema: after all that is shipped with `@timestamp` and a shape of its own.
    Ecs => ecs;
    /// JSON-RPC messages of MCP and A2A. After the formats that the names of the record itself show: to
    /// look inside costs a second reading.
    Mcp => mcp;
    /// WSO2 API Manager's analytics file.
    Wso2Elk => wso2_elk;
    /// agentgateway's request log as text.
    Agentgateway => agentgateway;
    /// Gin's access lines, as KrakenD writes them.
    Gin => gin;
    /// Envoy's default text line.
    Envoy => envoy;
    /// Istio's default text line.
    Istio => istio;
    /// AWS Application Load Balancers.
    AwsAlb => aws_alb;
    /// AWS Classic Load Balancers.
    AwsElb => aws_elb;
    /// CloudFront's real-time log as text.
    AwsCloudfrontRt => aws_cloudfront_rt;
    /// Akamai's DataStream as text.
    AkamaiText => akamai_text;
    /// Amazon CloudFront's standard log: before the other logs of the W3C's kind, whose header it has.
    AwsCloudfront => aws_cloudfront;
    /// W3C extended logs, as IIS writes them.
    W3c => w3c;
    /// HAProxy's HTTP and HTTPS logs.
    Haproxy => haproxy;
    /// Common Event Format.
    Cef => cef;
    /// Log Event Extended Format.
    Leef => leef;
    /// Traefik's access log as text: it and the next ones begin like a common line, which would be read
    /// as such without its end.
    Traefik => traefik;
    /// Reactor Netty's and Spring Cloud Gateway's access log.
    ReactorNetty => reactor_netty;
    /// The text templates of AWS API Gateway.
    AwsApigwText => aws_apigw_text;
    /// The common log format of NGINX and Apache.
    Clf => clf;
    /// Any JSON whose field names tell what they are.
    GenericJson => generic_json;
}

impl FormatId {
    /// The format's name in configuration and in `source_format`.
    pub fn as_str(self) -> &'static str {
        self.format().name
    }

    /// What the format is, in one line.
    pub fn about(self) -> &'static str {
        self.format().about
    }

    /// Whether the format is JSON.
    pub fn is_json(self) -> bool {
        matches!(self.format().reader, Reader::Json { .. })
    }

    /// Every format that there is: those declared, which come first, because the operator knows better,
    /// and those built in.
    pub fn known() -> impl Iterator<Item = Self> {
        mapping::all().chain(Self::ALL.iter().copied())
    }

    /// The format of that name or alias, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::built_in(name).or_else(|| mapping::all().find(|it| it.as_str() == name))
    }

    /// The same among those built in.
    pub(crate) fn built_in(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|id| {
            let format = id.format();
            format.name == name || format.aliases.contains(&name)
        })
    }
}

impl std::fmt::Display for FormatId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What there is to know about a format.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) aliases: &'static [&'static str],
    /// The fields, best first where several fill one slot.
    pub(crate) fields: &'static [Field],
    pub(crate) reader: Reader,
    /// Which instant the format's times name.
    pub(crate) time_kind: TimeKind,
    /// An event needs a status, or a method and a path.
    pub(crate) needs_request: bool,
    /// The format may name the client only in a forwarded list, which counts without a peer or behind
    /// one of a private network.
    pub(crate) forwarded_only: bool,
}

/// How a format's records are read.
#[derive(Debug)]
pub(crate) enum Reader {
    /// JSON objects: by the table of fields.
    Json {
        /// Sets of names of which one must be there for the format to be recognised.
        signatures: &'static [&'static [&'static str]],
        /// What is left to do when the fields are in their slots.
        finish: Finish,
        /// Broken JSON of the known kinds is mended.
        mends: bool,
    },
    /// Lines of text: by a scanner.
    Text {
        /// A glance at a line that nobody declared: whether it may be of this format. It reads a few
        /// bytes at known places; `scan` decides.
        looks: fn(&str) -> bool,
        /// Fills a record.
        scan: Scan,
    },
    /// Lines of text whose columns a header line of the same input names, such as `#Fields: date time`.
    Columns {
        /// What the header lines so far and this one say; `None` for a line that is no header of this
        /// format. A later header replaces an earlier one.
        header: fn(&str, Option<&Columns>) -> Option<Columns>,
        /// A glance at a line that nobody declared and that no header precedes.
        looks: fn(&str) -> bool,
        /// Fills a record by the latest header. Without one: by the columns that the producer writes
        /// unless it is told otherwise.
        scan: ColumnScan,
    },
}

/// Derives slots from slots.
pub(crate) type Finish = fn(&mut Record<'_>);
/// Fills a record from a line of text.
pub(crate) type Scan = for<'a> fn(&'a str, &mut Record<'a>) -> Result<(), Reject>;

/// Fills a record from a line of text, whose columns a header names.
pub(crate) type ColumnScan =
    for<'a> fn(&'a str, Option<&Columns>, &mut Record<'a>) -> Result<(), Reject>;

/// Tables of fields, one after the other; `N` is how many fields they have.
const fn joined<const N: usize, const PARTS: usize>(parts: [&[Field]; PARTS]) -> [Field; N] {
    let mut fields = [parts[0][0]; N];
    let (mut filled, mut part) = (0, 0);
    while part < PARTS {
        let mut index = 0;
        while index < parts[part].len() {
            fields[filled] = parts[part][index];
            filled += 1;
            index += 1;
        }
        part += 1;
    }
    fields
}

/// Nothing is left to do.
const fn nothing(_: &mut Record<'_>) {}

/// Whether a text is the name of a method of HTTP that is known.
pub(crate) fn is_known_method(name: &str) -> bool {
    request::method(name).is_some()
}

/// Whether a record says what was asked or what was answered.
pub(crate) fn has_request(record: &mut Record<'_>) -> bool {
    request::is_there(record)
}
