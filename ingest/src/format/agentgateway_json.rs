//! agentgateway's request log in JSON: the same fields under dotted names.

use super::{Format, Reader, agentgateway};
use model::TimeKind;

pub(super) static FORMAT: Format = Format {
    name: "agentgateway_json",
    about: "agentgateway request logs in JSON",
    aliases: &[],
    fields: agentgateway::FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["src.addr", "http.method", "duration"],
            &["src.addr", "http.status", "scope"],
            &["src.addr", "gateway", "scope"],
        ],
        finish: agentgateway::finish,
        mends: false,
    },
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::check::check;

    #[test]
    fn the_fields_are_those_of_the_text() {
        check(
            FormatId::AgentgatewayJson,
            r#"{"level":"info","time":"2026-03-10T03:36:59.123456Z","scope":"request","gateway":"default/gw","route":"default/mcp","src.addr":"[::1]:51022","http.method":"POST","http.host":"mcp.example.com","http.path":"/mcp","http.version":"HTTP/2.0","http.status":200,"jwt.sub":"alice","protocol":"mcp","mcp.method":"resources/read","mcp.resource.type":"resource","mcp.resource.name":"file:///a","duration":"41ms"}"#,
            &[
                "duration_ns=41000000",
                "client_address=::1",
                "network_protocol_version=2",
                "principal_id=alice",
                "principal_source=agentgateway.jwt.sub",
                "resource_uri=file:///a",
                "tool_name=",
                "source_format=agentgateway_json",
            ],
        );
    }
}
