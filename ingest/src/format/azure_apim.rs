//! Azure API Management: `GatewayLogs` and `GatewayMCPLogs`.
//!
//! They come from Event Hubs, here without the envelope, or as the rows of a table.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "azure_apim",
    about: "Azure API Management gateway logs (GatewayLogs, GatewayMCPLogs)",
    aliases: &["azure_api_management"],
    fields: FIELDS,
    reader: Reader::Json {
        // The envelope is that of all Azure services; what is inside tells them apart.
        signatures: &[
            &["properties", "properties.method", "properties.url", "properties.responseCode"],
            &["properties", "properties.apiId", "properties.responseCode"],
            &["properties", "properties.Method", "properties.Url", "properties.ResponseCode"],
            &["properties", "properties.ApiId", "properties.ResponseCode"],
            &["properties", "properties.modelName", "properties.promptTokens"],
            &["properties", "properties.ModelName", "properties.PromptTokens"],
            &["properties", "properties.method", "properties.serverName"],
            &["properties", "properties.Method", "properties.ServerName"],
            &["CallerIpAddress", "ResponseCode", "TimeGenerated"],
            &["ApiId", "ResponseCode", "TimeGenerated"],
            &["ModelName", "PromptTokens", "TimeGenerated"],
            &["Method", "ServerName", "TimeGenerated"],
        ],
        finish,
        mends: false,
    },
    // When the gateway began to process the request.
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("time", Raw::Time),
    Field::raw("TimeGenerated", Raw::Time),
    Field::raw("category", Raw::Aside),
    Field::raw("Type", Raw::Aside),
    Field::raw("properties.promptTokens", Raw::AsideToo),
    Field::span("durationMs", Int::DurationNs, How::Millis),
    Field::span("TotalTime", Int::DurationNs, How::Millis),
    Field::span("properties.totalTime", Int::DurationNs, How::Millis),
    Field::span("properties.backendTime", Int::UpstreamDurationNs, How::Millis),
    Field::span("BackendTime", Int::UpstreamDurationNs, How::Millis),
    Field::text("properties.method", Text::HttpRequestMethod),
    Field::text("Method", Text::HttpRequestMethod),
    Field::raw("properties.url", Raw::Target),
    Field::raw("Url", Raw::Target),
    Field::raw("properties.clientProtocol", Raw::Protocol),
    Field::raw("ClientProtocol", Raw::Protocol),
    Field::int("properties.responseCode", Int::HttpResponseStatusCode),
    Field::int("ResponseCode", Int::HttpResponseStatusCode),
    Field::int("properties.backendResponseCode", Int::UpstreamStatusCode),
    Field::int("BackendResponseCode", Int::UpstreamStatusCode),
    Field::int("properties.requestSize", Int::HttpRequestSize),
    Field::int("RequestSize", Int::HttpRequestSize),
    Field::int("properties.responseSize", Int::HttpResponseSize),
    Field::int("ResponseSize", Int::HttpResponseSize),
    // The immediate caller, which may be a proxy.
    Field::raw("callerIpAddress", Raw::Client),
    Field::raw("properties.callerIpAddress", Raw::Client),
    Field::raw("properties.requestHeaders.X-Forwarded-For", Raw::Forwarded),
    Field::text("properties.requestHeaders.User-Agent", Text::UserAgentOriginal),
    Field::raw("properties.requestHeaders.mcp-method", Raw::McpMethodHeader),
    Field::raw("properties.requestHeaders.mcp-name", Raw::McpNameHeader),
    Field::raw("properties.requestHeaders.traceparent", Raw::Traceparent),
    Field::text("correlationId", Text::RequestId),
    // What GatewayMCPLogs say of a message; its method stands under `method`.
    Field::text("properties.toolName", Text::ToolName),
    Field::text("ToolName", Text::ToolName),
    Field::text("properties.serverName", Text::McpServer),
    Field::text("ServerName", Text::McpServer),
    Field::text("properties.protocolVersion", Text::McpProtocolVersion),
    Field::text("ProtocolVersion", Text::McpProtocolVersion),
    Field::text("properties.clientName", Text::AgentName),
    Field::text("ClientName", Text::AgentName),
    Field::text("properties.authenticationMethod", Text::AuthMethod),
    Field::text("AuthenticationMethod", Text::AuthMethod),
    Field::text("properties.errorType", Text::PolicyReason),
    Field::text("ErrorType", Text::PolicyReason),
    identity!("azure_apim", "properties.sessionId", IdSession, Session, Asserted).secret(),
    identity!("azure_apim", "SessionId", IdSession, Session, Asserted).secret(),
    Field::text("properties.apiId", Text::ApiId),
    Field::text("ApiId", Text::ApiId),
    Field::text("properties.operationId", Text::GatewayRoute),
    Field::text("OperationId", Text::GatewayRoute),
    Field::text("properties.productId", Text::GatewayService),
    Field::text("ProductId", Text::GatewayService),
    Field::text("properties.lastError.reason", Text::PolicyReason),
    Field::text("LastErrorReason", Text::PolicyReason),
    Field::text("properties.serviceName", Text::SourceInstance),
    Field::text("location", Text::SourceInstance),
    Field::text("Region", Text::SourceInstance),
    identity!("azure_apim", "properties.userId", IdConsumer, User, Verified),
    identity!("azure_apim", "UserId", IdConsumer, User, Verified),
    identity!("azure_apim", "properties.apimSubscriptionId", IdApplication, Application, Verified),
    identity!("azure_apim", "ApimSubscriptionId", IdApplication, Application, Verified),
];

static MCP_METHOD: Field = Field::text("properties.method", Text::McpMethodName);

/// Tells MCP's methods from HTTP's, and counts each call of a model once: what it took and gave is a
/// record beside the gateway's own.
fn finish(record: &mut Record<'_>) {
    let is_of_model = match record.text(Slot::Raw(Raw::Aside)) {
        Some(category) => {
            category.eq_ignore_ascii_case("GatewayLlmLogs")
                || category.eq_ignore_ascii_case("ApiManagementGatewayLlmLog")
        }
        None => false,
    };
    let has_tokens = record.has(Slot::Raw(Raw::AsideToo));
    let has_status = record.has(Slot::Int(Int::HttpResponseStatusCode));
    if is_of_model || has_tokens && !has_status {
        return record.refuse(Reject::Repeated);
    }
    let method = Slot::Text(Text::HttpRequestMethod);
    let is_message = record.has(Slot::Text(Text::McpServer)) && !has_status;
    if let (true, Some(said)) = (is_message, record.text(method).map(str::to_owned)) {
        record.forget(method);
        record.put_copied(&MCP_METHOD, 0, &said);
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::AzureApim, line, expected);
    }

    #[test]
    fn a_user_comes_before_a_subscription() {
        let line = |more: &str| {
            format!(
                r#"{{"Level":4,"isRequestSuccess":true,"time":"2026-03-10T03:36:59.1234567Z","operationName":"Microsoft.ApiManagement/GatewayLogs","category":"GatewayLogs","durationMs":152,"callerIpAddress":"203.0.113.10","correlationId":"3f06","properties":{{"method":"GET","url":"https://apim.example/orders/7?subscription-key=c4n4ry","backendResponseCode":200,"responseCode":200,"responseSize":41583,"requestSize":526,"backendTime":87,"apiId":"shop","operationId":"GetOrder","apimSubscriptionId":"5f8a","clientProtocol":"HTTP/1.1","backendUrl":"https://b.example/orders/7"{more}}}}}"#
            )
        };
        check(
            &line(""),
            &[
                "time=2026-03-10T03:36:59.123456700Z",
                "duration_ns=152000000",
                "upstream_duration_ns=87000000",
                "url_path=/orders/7",
                "server_address=apim.example",
                "http_request_size=526",
                "http_response_size=41583",
                "principal_id=5f8a",
                "principal_type=application",
                "gateway_route=GetOrder",
                "api_id=shop",
            ],
        );
        check(
            &line(r#","userId":"jo""#),
            &["principal_id=jo", "principal_type=user", "client_app_id=5f8a"],
        );
    }

    #[test]
    fn a_row_of_the_table_is_read_too() {
        check(
            r#"{"TimeGenerated":"2026-03-10T03:36:59Z","CallerIpAddress":"203.0.113.10","Method":"POST","Url":"https://apim.example/a","ResponseCode":429,"TotalTime":5,"ApimSubscriptionId":"5f8a","LastErrorReason":"RateLimitExceeded","Type":"ApiManagementGatewayLogs"}"#,
            &[
                "http_response_status_code=429",
                "duration_ns=5000000",
                "policy_reason=RateLimitExceeded",
                "principal_id=5f8a",
            ],
        );
    }

    #[test]
    fn a_message_of_mcp_names_its_tool() {
        check(
            r#"{"time":"2026-03-10T03:36:59Z","category":"GatewayMCPLogs","correlationId":"3f06","properties":{"method":"tools/call","toolName":"create_issue","serverName":"tracker","sessionId":"c4n4ry","protocolVersion":"2025-06-18","clientName":"editor"}}"#,
            &[
                "mcp_method_name=tools/call",
                "tool_name=create_issue",
                "mcp_server=tracker",
                "endpoint=mcp tools/call create_issue",
                "http_request_method=",
                "principal_id=key:8fcacba99bb3a505",
                "principal_type=session",
                "agent_name=editor",
            ],
        );
    }

    #[test]
    fn what_a_model_took_is_counted_with_its_call() {
        check(
            r#"{"time":"2026-03-10T03:36:59Z","category":"GatewayLlmLogs","correlationId":"3f06","properties":{"modelName":"m","promptTokens":12,"completionTokens":5,"requestMessages":"c4n4ry"}}"#,
            &["reject=repeated"],
        );
    }
}
