//! The formats that are read: one module and one line of the table each.

mod address;
mod aws_alb;
mod aws_apigw_text;
mod aws_cloudfront;
mod aws_elb;
mod call;
mod canonical;
mod cef;
#[cfg(test)]
pub(crate) mod check;
mod clf;
pub(crate) mod columns;
mod envoy;
mod envoy_json;
pub(crate) mod event;
pub(crate) mod field;
mod generic_json;
mod gin;
mod haproxy;
#[cfg(test)]
pub(crate) mod hostile;
mod istio;
mod kong;
mod leef;
mod line;
mod measure;
mod nginx_json;
mod reactor_netty;
pub(crate) mod record;
mod request;
#[cfg(test)]
mod samples;
mod siem;
mod traefik;
mod w3c;

pub(crate) use address::Network;
pub(crate) use columns::Columns;

use crate::reject::Reject;
use field::Field;
use model::TimeKind;
use record::Record;

macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident => $module:ident;)+) => {
        /// A format of access logs.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum FormatId { $($(#[$doc])* $variant),+ }

        impl FormatId {
            /// Every format; where two recognise a record, the earlier one reads it.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(crate) const fn format(self) -> &'static Format {
                match self { $(Self::$variant => &$module::FORMAT),+ }
            }
        }
    };
}

formats! {
    /// The columns of an event by their own names.
    Canonical => canonical;
    /// Kong's log plugins.
    Kong => kong;
    /// Envoy's and Envoy Gateway's JSON access log.
    EnvoyJson => envoy_json;
    /// NGINX with a JSON template.
    NginxJson => nginx_json;
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
    pub const fn as_str(self) -> &'static str {
        self.format().name
    }

    /// What the format is, in one line.
    pub const fn about(self) -> &'static str {
        self.format().about
    }

    /// Whether the format is JSON.
    pub(crate) const fn is_json(self) -> bool {
        matches!(self.format().reader, Reader::Json { .. })
    }

    /// The format of that name or alias, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
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
    /// The format names the client only in a forwarded list: its first entry counts.
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

/// Nothing is left to do.
const fn nothing(_: &mut Record<'_>) {}

/// Whether a record says what was asked or what was answered.
pub(crate) fn has_request(record: &mut Record<'_>) -> bool {
    request::is_there(record)
}
