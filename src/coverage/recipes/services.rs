//! The settings of clouds, API gateways, agents' gateways, and of formats that are nobody's own.

use super::Recipe;
use crate::coverage::Fact;

/// Clouds, API gateways, agents' gateways, and formats that are nobody's own.
pub(super) const SERVICES: &[Recipe] = &[
    Recipe {
        formats: &["aws_apigw", "aws_apigw_text"],
        page: "aws_api_gateway",
        settings: &[
            (
                Fact::Identity,
                r#"add "claimsSub":"$context.authorizer.claims.sub","apiKeyId":"$context.identity.apiKeyId" to the access log's format"#,
            ),
            (
                Fact::BytesOut,
                r#"add "responseLength":"$context.responseLength" to the access log's format"#,
            ),
            (Fact::BytesIn, "API Gateway has no variable for it"),
            (
                Fact::Duration,
                r#"add "responseLatency":"$context.responseLatency" to the access log's format"#,
            ),
            (Fact::Network, r#"add "ip":"$context.identity.sourceIp" to the access log's format"#),
            (
                Fact::UserAgent,
                r#"add "userAgent":"$context.identity.userAgent" to the access log's format"#,
            ),
            (Fact::Tool, "API Gateway logs no request headers: log at what stands behind it"),
        ],
    },
    Recipe {
        formats: &["aws_alb", "aws_alb_json", "aws_elb"],
        page: "aws_alb",
        settings: &[
            (Fact::Identity, "an ALB logs no caller: log it at the gateway or service behind"),
            (Fact::Tool, "an ALB logs no request headers: log at what stands behind it"),
        ],
    },
    Recipe {
        formats: &["aws_cloudfront", "aws_cloudfront_json", "aws_cloudfront_rt"],
        page: "aws_cloudfront",
        settings: &[
            (Fact::Identity, "CloudFront logs no caller: log it at the origin"),
            (Fact::BytesOut, "add the field sc-bytes to the delivery"),
            (Fact::BytesIn, "add the field cs-bytes to the delivery"),
            (Fact::Duration, "add the field time-taken to the delivery"),
            (Fact::Network, "add the field c-ip to the delivery"),
            (Fact::UserAgent, "add the field cs(User-Agent) to the delivery"),
            (Fact::Tool, "CloudFront logs no such headers: log at the origin"),
        ],
    },
    Recipe {
        formats: &["aws_cloudtrail"],
        page: "aws_cloudtrail",
        settings: &[
            (
                Fact::BytesOut,
                "CloudTrail has sizes for data events of S3 only: --advanced-event-selectors with eventCategory Data",
            ),
            (
                Fact::BytesIn,
                "CloudTrail has sizes for data events of S3 only: --advanced-event-selectors with eventCategory Data",
            ),
            (Fact::Duration, "CloudTrail logs no duration"),
        ],
    },
    Recipe {
        formats: &["azure_apim"],
        page: "azure_api_management",
        settings: &[
            (
                Fact::Identity,
                "require a subscription key on the API or product: of a token the log has no caller",
            ),
            (Fact::Network, "diagnostic azuremonitor: logClientIp true"),
            (Fact::UserAgent, "diagnostic azuremonitor: frontend.request.headers [\"User-Agent\"]"),
            (
                Fact::Tool,
                "diagnostic azuremonitor: frontend.request.headers [\"Mcp-Method\", \"Mcp-Name\"]",
            ),
        ],
    },
    Recipe {
        formats: &["azure_app_gateway", "azure_front_door"],
        page: "azure_application_gateway",
        settings: &[
            (Fact::Identity, "neither logs a caller: log it at the API behind"),
            (Fact::Tool, "neither logs such headers: log at the API behind"),
        ],
    },
    Recipe {
        formats: &["cloudflare"],
        page: "cloudflare",
        settings: &[
            (
                Fact::Identity,
                "custom fields: action log_custom_field with request_fields [{\"name\": \"x-consumer-id\"}], and RequestHeaders in the job",
            ),
            (Fact::BytesOut, "add EdgeResponseBytes to output_options.field_names"),
            (Fact::BytesIn, "add ClientRequestBytes to output_options.field_names"),
            (
                Fact::Duration,
                "add EdgeStartTimestamp and EdgeEndTimestamp to output_options.field_names",
            ),
            (Fact::Network, "add ClientIP to output_options.field_names"),
            (Fact::UserAgent, "add ClientRequestUserAgent to output_options.field_names"),
            (
                Fact::Tool,
                "custom fields: request_fields [{\"name\": \"mcp-method\"}, {\"name\": \"mcp-name\"}], and RequestHeaders in the job",
            ),
        ],
    },
    Recipe {
        formats: &["gcp_http_lb"],
        page: "gcp_load_balancer",
        settings: &[
            (
                Fact::Identity,
                "the load balancer logs no caller: put API Gateway or Apigee behind it, or log at the backend",
            ),
            (Fact::Tool, "the load balancer logs no such headers: log at the backend"),
        ],
    },
    Recipe {
        formats: &["gcp_api_gateway"],
        page: "gcp_load_balancer",
        settings: &[(
            Fact::Identity,
            "security with an API key in the OpenAPI document: of a JWT the log has no caller",
        )],
    },
    Recipe {
        formats: &["gcp_audit"],
        page: "gcp_load_balancer",
        settings: &[(
            Fact::Identity,
            "logged by default as principalEmail, but for public access and some refused reads",
        )],
    },
    Recipe {
        formats: &["k8s_audit"],
        page: "kubernetes_audit",
        settings: &[
            (Fact::BytesOut, "the audit log has no sizes"),
            (Fact::BytesIn, "the audit log has no sizes"),
            (Fact::Duration, "omitStages: [\"RequestReceived\"] leaves the stage with both times"),
        ],
    },
    Recipe {
        formats: &["otlp"],
        page: "opentelemetry",
        settings: &[
            (Fact::Identity, "set the attribute user.id or enduser.id on the server's span"),
            (Fact::BytesOut, "set the attribute http.response.body.size on the server's span"),
            (Fact::BytesIn, "set the attribute http.request.body.size on the server's span"),
            (Fact::Duration, "export SERVER spans and not logs alone"),
            (Fact::Network, "set the attribute client.address on the server's span"),
            (Fact::UserAgent, "set the attribute user_agent.original on the server's span"),
            (
                Fact::Tool,
                "set the attributes mcp.method.name and gen_ai.tool.name on the server's span",
            ),
            (Fact::Agent, "set the attribute gen_ai.agent.id on the server's span"),
            (Fact::Session, "set the attribute session.id on the server's span"),
        ],
    },
    Recipe {
        formats: &["ecs"],
        page: "ecs",
        settings: &[
            (Fact::Identity, "log user.id or user.name"),
            (Fact::BytesOut, "log http.response.body.bytes or http.response.bytes"),
            (Fact::BytesIn, "log http.request.body.bytes or http.request.bytes"),
            (Fact::Duration, "log event.duration in nanoseconds"),
            (Fact::Network, "log client.ip or source.ip"),
            (Fact::UserAgent, "log user_agent.original"),
            (Fact::Tool, "log mcp.method.name and gen_ai.tool.name"),
            (Fact::Agent, "log gen_ai.agent.id"),
        ],
    },
    Recipe {
        formats: &["ocsf"],
        page: "ocsf",
        settings: &[
            (Fact::Identity, "fill actor.user.uid"),
            (Fact::BytesOut, "fill http_response.length"),
            (Fact::BytesIn, "fill http_request.length"),
            (Fact::Duration, "fill duration in milliseconds"),
            (Fact::Network, "fill src_endpoint.ip"),
            (Fact::UserAgent, "fill http_request.user_agent"),
            (Fact::Agent, "fill ai_agent.uid"),
            (Fact::Session, "fill actor.session.uid"),
        ],
    },
    Recipe {
        formats: &["agentgateway", "agentgateway_json"],
        page: "agentgateway",
        settings: &[
            (Fact::Identity, "config.logging.fields.add: jwt.sub: jwt.sub"),
            (
                Fact::BytesOut,
                "config.logging.fields.add: http.response.body.size: 'response.headers[\"content-length\"]'",
            ),
            (
                Fact::BytesIn,
                "config.logging.fields.add: http.request.body.size: 'request.headers[\"content-length\"]'",
            ),
            (
                Fact::UserAgent,
                "config.logging.fields.add: user_agent.original: 'request.headers[\"user-agent\"]'",
            ),
            (Fact::Agent, "config.logging.fields.add: jwt.act.sub: jwt.act.sub"),
        ],
    },
    Recipe {
        formats: &["mcp_jsonrpc", "contextforge"],
        page: "mcp",
        settings: &[
            (
                Fact::Identity,
                "wrap each message: {\"ts\": …, \"user\": …, \"client\": …, \"request\": {…}}",
            ),
            (Fact::BytesOut, "add \"bytes_out\" beside the message"),
            (Fact::Duration, "add \"duration_ms\" beside the message"),
            (Fact::Network, "add \"client_ip\" beside the message"),
        ],
    },
    Recipe {
        formats: &["litellm"],
        page: "litellm",
        settings: &[
            (
                Fact::Identity,
                "use virtual keys: general_settings.master_key, and user_id or team_id on each key",
            ),
            (
                Fact::BytesOut,
                "LiteLLM logs tokens and no bytes: they are in gen_ai_usage_output_tokens",
            ),
            (
                Fact::BytesIn,
                "LiteLLM logs tokens and no bytes: they are in gen_ai_usage_input_tokens",
            ),
        ],
    },
    Recipe {
        formats: &["openai_audit", "anthropic_activity"],
        page: "ai_providers",
        settings: &[
            (Fact::BytesOut, "an audit log has no sizes: log the calls of models at a gateway"),
            (Fact::BytesIn, "an audit log has no sizes: log the calls of models at a gateway"),
            (Fact::Duration, "an audit log has no durations: log the calls of models at a gateway"),
        ],
    },
    Recipe {
        formats: &["tyk"],
        page: "tyk",
        settings: &[
            (
                Fact::Identity,
                "require a key on the API and give it an alias; analytics_config.enable_detailed_recording stays false",
            ),
            (
                Fact::BytesOut,
                "Tyk's records have no size of the answer without recording bodies: leave it",
            ),
        ],
    },
    Recipe {
        formats: &["gravitee"],
        page: "gravitee",
        settings: &[
            (Fact::Identity, "publish the API with an API key, JWT or OAuth2 plan and not keyless"),
            (Fact::Duration, "reporters.file.request: remove gatewayResponseTimeMs from exclude"),
        ],
    },
    Recipe {
        formats: &["wso2", "wso2_elk"],
        page: "wso2",
        settings: &[
            (
                Fact::Identity,
                "[apim.analytics] type = \"elk\": applicationId is in it where the API is subscribed to",
            ),
            (
                Fact::BytesOut,
                "[apim.analytics] properties.'publisher.custom.data.provider.class' with a class that adds responseSize",
            ),
        ],
    },
    Recipe {
        formats: &["w3c"],
        page: "iis",
        settings: &[
            (Fact::Identity, "logExtFileFlags: add UserName"),
            (Fact::BytesOut, "logExtFileFlags: add BytesSent"),
            (Fact::BytesIn, "logExtFileFlags: add BytesRecv"),
            (Fact::Duration, "logExtFileFlags: add TimeTaken"),
            (Fact::Network, "logExtFileFlags: add ClientIP"),
            (Fact::UserAgent, "logExtFileFlags: add UserAgent"),
        ],
    },
    Recipe {
        formats: &["reactor_netty"],
        page: "spring_cloud_gateway",
        settings: &[
            (
                Fact::Identity,
                "AccessLogFactory with a format of your own, declared in [format.NAME]",
            ),
            (
                Fact::UserAgent,
                "AccessLogFactory with a format of your own, declared in [format.NAME]",
            ),
        ],
    },
    Recipe {
        formats: &["gin"],
        page: "krakend",
        settings: &[
            (
                Fact::Identity,
                "Gin: gin.LoggerWithFormatter that writes JSON with c.GetString(\"user\"); KrakenD: send its spans by telemetry/opentelemetry",
            ),
            (
                Fact::BytesOut,
                "Gin: param.BodySize in gin.LoggerWithFormatter; KrakenD: telemetry/opentelemetry",
            ),
            (
                Fact::UserAgent,
                "Gin: param.Request.UserAgent() in gin.LoggerWithFormatter; KrakenD: telemetry/opentelemetry",
            ),
        ],
    },
    Recipe {
        formats: &["oathkeeper"],
        page: "oathkeeper",
        settings: &[
            (
                Fact::Identity,
                "log.format: json; rules with another authenticator than noop and anonymous",
            ),
            (Fact::Network, "its decisions have no address: log at the proxy in front of it"),
        ],
    },
    Recipe {
        formats: &["akamai", "akamai_text"],
        page: "akamai",
        settings: &[
            (
                Fact::Identity,
                "set customLogField to the caller's header, add the custom field to the stream, and set ingest.principal_field = \"customField\"",
            ),
            (Fact::BytesOut, "add bytes and totalBytes to the stream's data set fields"),
            (
                Fact::Duration,
                "add turnAroundTimeMSec and transferTimeMSec to the stream's data set fields",
            ),
            (Fact::Network, "add cliIP to the stream's data set fields"),
            (Fact::UserAgent, "add UA to the stream's data set fields"),
        ],
    },
    Recipe {
        formats: &["fastly_json"],
        page: "fastly",
        settings: &[
            (
                Fact::Identity,
                r#"add "x_consumer_id":"%{json.escape(req.http.X-Consumer-Id)}V" to the endpoint's format"#,
            ),
            (
                Fact::BytesOut,
                r#"add "response_body_size":%{resp.body_bytes_written}V to the endpoint's format"#,
            ),
            (
                Fact::BytesIn,
                r#"add "request_body_size":%{req.body_bytes_read}V to the endpoint's format"#,
            ),
            (Fact::Duration, r#"add "duration_us":%{time.elapsed.usec}V to the endpoint's format"#),
            (Fact::Network, r#"add "client_ip":"%{client.ip}V" to the endpoint's format"#),
            (
                Fact::UserAgent,
                r#"add "request_user_agent":"%{json.escape(req.http.User-Agent)}V" to the endpoint's format"#,
            ),
            (
                Fact::Tool,
                r#"add "mcp_method":"%{json.escape(req.http.Mcp-Method)}V","mcp_name":"%{json.escape(req.http.Mcp-Name)}V" to the endpoint's format"#,
            ),
        ],
    },
    Recipe {
        formats: &["cef", "leef"],
        page: "cef_leef",
        settings: &[
            (Fact::Identity, "CEF: suser or suid; LEEF: usrName"),
            (Fact::BytesOut, "CEF: out; LEEF: dstBytes"),
            (Fact::BytesIn, "CEF: in; LEEF: srcBytes"),
            (Fact::Network, "CEF: src; LEEF: src"),
            (Fact::UserAgent, "CEF: requestClientApplication; LEEF: userAgent"),
        ],
    },
    Recipe {
        formats: &["canonical", "generic_json"],
        page: "json",
        settings: &[
            (
                Fact::Identity,
                "log principal_id with principal_type, or consumer_id, user_id, client_id, api_key_id",
            ),
            (Fact::BytesOut, "log http_response_body_size or bytes_out"),
            (Fact::BytesIn, "log http_request_body_size or bytes_in"),
            (Fact::Duration, "log duration_ns or duration_ms"),
            (Fact::Network, "log client_address"),
            (Fact::UserAgent, "log user_agent_original"),
            (Fact::Tool, "log mcp_method_name and tool_name"),
            (Fact::Agent, "log agent_id, and actor_chain where it acts for somebody"),
            (Fact::Session, "log session_id"),
        ],
    },
];
