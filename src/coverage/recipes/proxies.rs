//! The settings of web servers and proxies.

use super::Recipe;
use crate::coverage::Fact;

/// Web servers and proxies that people run themselves.
pub(super) const PROXIES: &[Recipe] = &[
    Recipe {
        formats: &["nginx_json"],
        page: "nginx",
        settings: &[
            (
                Fact::Identity,
                r#"add "jwt_claim_sub":"$jwt_claim_sub", or "consumer_id":"$consumer_id" that auth_request_set took from the authenticating service, to log_format"#,
            ),
            (Fact::BytesOut, r#"add "bytes_sent":"$bytes_sent" to log_format"#),
            (Fact::BytesIn, r#"add "request_length":"$request_length" to log_format"#),
            (Fact::Duration, r#"add "request_time":"$request_time" to log_format"#),
            (Fact::Network, r#"add "remote_addr":"$remote_addr" to log_format"#),
            (Fact::UserAgent, r#"add "http_user_agent":"$http_user_agent" to log_format"#),
            (
                Fact::Tool,
                r#"add "http_mcp_method":"$http_mcp_method","http_mcp_name":"$http_mcp_name" to log_format"#,
            ),
        ],
    },
    Recipe {
        formats: &["clf"],
        page: "nginx",
        settings: &[
            (
                Fact::Identity,
                r#"NGINX: log JSON with "consumer_id":"$consumer_id" that auth_request_set took from the authenticating service; Apache: set %u by an authentication module"#,
            ),
            (
                Fact::BytesOut,
                "NGINX: $body_bytes_sent; Apache: %b after the status, as in combined",
            ),
            (
                Fact::BytesIn,
                r#"NGINX: log JSON with "request_length":"$request_length"; Apache: log JSON with "bytes_in":%I"#,
            ),
            (
                Fact::Duration,
                r#"NGINX: log JSON with "request_time":"$request_time"; Apache: append %D to LogFormat"#,
            ),
            (Fact::Network, "NGINX: $remote_addr; Apache: %a, first in the line"),
            (Fact::UserAgent, r#"use combined: "$http_user_agent" or "%{User-Agent}i" last"#),
            (Fact::Tool, r#"NGINX: log JSON with "http_mcp_name":"$http_mcp_name""#),
        ],
    },
    Recipe {
        formats: &["envoy", "envoy_json"],
        page: "envoy",
        settings: &[
            (
                Fact::Identity,
                r#"json_format: jwt_sub: "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%""#,
            ),
            (Fact::BytesOut, r#"json_format: bytes_sent: "%BYTES_SENT%""#),
            (Fact::BytesIn, r#"json_format: bytes_received: "%BYTES_RECEIVED%""#),
            (Fact::Duration, r#"json_format: duration: "%DURATION%""#),
            (
                Fact::Network,
                r#"json_format: downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%""#,
            ),
            (Fact::UserAgent, r#"json_format: user-agent: "%REQ(USER-AGENT)%""#),
            (
                Fact::Tool,
                r#"json_format: mcp-method: "%REQ(MCP-METHOD)%", mcp-name: "%REQ(MCP-NAME)%""#,
            ),
        ],
    },
    Recipe {
        formats: &["istio"],
        page: "istio",
        settings: &[
            (
                Fact::Identity,
                r#"accessLogEncoding: JSON with jwt_sub: "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%" in accessLogFormat"#,
            ),
            (Fact::BytesOut, r#"accessLogFormat: "bytes_sent": "%BYTES_SENT%""#),
            (Fact::BytesIn, r#"accessLogFormat: "bytes_received": "%BYTES_RECEIVED%""#),
            (Fact::Duration, r#"accessLogFormat: "duration": "%DURATION%""#),
            (
                Fact::Network,
                r#"accessLogFormat: "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%""#,
            ),
            (Fact::UserAgent, r#"accessLogFormat: "user_agent": "%REQ(USER-AGENT)%""#),
            (
                Fact::Tool,
                r#"accessLogFormat: "mcp-method": "%REQ(MCP-METHOD)%", "mcp-name": "%REQ(MCP-NAME)%""#,
            ),
        ],
    },
    Recipe {
        formats: &["kong"],
        page: "kong",
        settings: &[
            (Fact::Identity, "enable key-auth, jwt or openid-connect on the route or service"),
            (
                Fact::BytesOut,
                "logged by default as response.size: remove what deletes it from custom_fields_by_lua",
            ),
            (
                Fact::BytesIn,
                "logged by default as request.size: remove what deletes it from custom_fields_by_lua",
            ),
            (
                Fact::Duration,
                "logged by default as latencies.request: remove what deletes it from custom_fields_by_lua",
            ),
            (
                Fact::Network,
                "logged by default as client_ip: remove what deletes it from custom_fields_by_lua",
            ),
            (
                Fact::UserAgent,
                "logged by default as request.headers: remove what deletes it from custom_fields_by_lua",
            ),
            (
                Fact::Tool,
                "AI MCP Proxy: config.logging.log_statistics=true and config.logging.log_audits=true",
            ),
        ],
    },
    Recipe {
        formats: &["apisix"],
        page: "apisix",
        settings: &[
            (
                Fact::Identity,
                "enable key-auth, jwt-auth or openid-connect on the route, and leave log_format out",
            ),
            (Fact::BytesOut, "leave log_format out: the default has response.size"),
            (Fact::BytesIn, "leave log_format out: the default has request.size"),
            (Fact::Duration, "leave log_format out: the default has latency"),
            (Fact::Network, "leave log_format out: the default has client_ip"),
            (Fact::UserAgent, "leave log_format out: the default has request.headers"),
            (
                Fact::Tool,
                "leave log_format out: the default has request.headers, with Mcp-Method and Mcp-Name",
            ),
        ],
    },
    Recipe {
        formats: &["traefik", "traefik_json"],
        page: "traefik",
        settings: &[
            (
                Fact::Identity,
                "--accesslog.format=json --accesslog.fields.headers.names.X-Consumer-Id=keep, with X-Consumer-Id in forwardAuth's authResponseHeaders",
            ),
            (Fact::BytesOut, "--accesslog.fields.names.DownstreamContentSize=keep"),
            (
                Fact::BytesIn,
                "--accesslog.format=json --accesslog.fields.names.RequestContentSize=keep",
            ),
            (Fact::Duration, "--accesslog.fields.names.Duration=keep"),
            (Fact::Network, "--accesslog.fields.names.ClientHost=keep"),
            (
                Fact::UserAgent,
                "--accesslog.format=json --accesslog.fields.headers.names.User-Agent=keep",
            ),
            (
                Fact::Tool,
                "--accesslog.format=json --accesslog.fields.headers.names.Mcp-Method=keep --accesslog.fields.headers.names.Mcp-Name=keep",
            ),
        ],
    },
    Recipe {
        formats: &["haproxy"],
        page: "haproxy",
        settings: &[
            (
                Fact::Identity,
                "http-request capture http_auth_bearer,jwt_payload_query('$.sub') len 64, and \"sub\":\"%[capture.req.hdr(0),json(utf8s)]\" in a JSON log-format",
            ),
            (Fact::BytesOut, "option httplog has %B; in a JSON log-format \"bytes_out\":%B"),
            (Fact::BytesIn, "not in option httplog: \"bytes_in\":%U in a JSON log-format"),
            (
                Fact::Duration,
                "option httplog has %Ta, without option logasap; in a JSON log-format \"duration_ms\":%Ta",
            ),
            (Fact::Network, "option httplog has %ci; in a JSON log-format \"client_ip\":\"%ci\""),
            (
                Fact::UserAgent,
                "http-request capture req.hdr(User-Agent) len 128, and \"user_agent\":\"%[capture.req.hdr(1),json(utf8s)]\" in a JSON log-format",
            ),
            (
                Fact::Tool,
                "http-request capture req.hdr(Mcp-Name) len 64, and \"mcp-name\":\"%[capture.req.hdr(2),json(utf8s)]\" in a JSON log-format",
            ),
        ],
    },
    Recipe {
        formats: &["caddy"],
        page: "caddy",
        settings: &[
            (
                Fact::Identity,
                "basic_auth, or log_append user_id {http.request.header.X-Consumer-Id} behind forward_auth with copy_headers, in a route that deletes the header first",
            ),
            (Fact::BytesOut, "logged by default as size: remove it from format filter"),
            (Fact::BytesIn, "logged by default as bytes_read: remove it from format filter"),
            (Fact::Duration, "logged by default as duration: remove it from format filter"),
            (Fact::Network, "logged by default as request>client_ip: remove it from format filter"),
            (
                Fact::UserAgent,
                "logged by default as request>headers>User-Agent: remove it from format filter",
            ),
            (
                Fact::Tool,
                "logged by default in request>headers: remove what deletes Mcp-Method and Mcp-Name from format filter",
            ),
        ],
    },
];
