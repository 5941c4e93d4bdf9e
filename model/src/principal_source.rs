//! The rules by which a principal is resolved, by name: what formats may say of one.

/// Every rule's name, sorted; formats name theirs `format.field`.
///
/// A name that was here stays here: a snapshot may have it.
pub const PRINCIPAL_SOURCES: &[&str] = &[
    "actor",
    "anonymous",
    "aws_apigw_text.identity.caller",
    "aws_apigw_text.identity.user",
    "canonical.principal_id",
    "cef.sourceUserId",
    "cef.sourceUserName",
    "cef.suid",
    "cef.suser",
    "claimed",
    "clf.remote_user",
    "client_address",
    "client_net",
    "envoy_json.downstream_peer_subject",
    "envoy_json.downstream_peer_uri_san",
    "envoy_json.jwt_azp",
    "envoy_json.jwt_client_id",
    "envoy_json.jwt_payload_sub",
    "envoy_json.jwt_sub",
    "envoy_json.x-consumer-id",
    "envoy_json.x-user-id",
    "generic_json.access_token",
    "generic_json.account_id",
    "generic_json.actor",
    "generic_json.apiKeyId",
    "generic_json.api_key",
    "generic_json.api_key_id",
    "generic_json.apikey",
    "generic_json.app_id",
    "generic_json.application",
    "generic_json.applicationId",
    "generic_json.application_id",
    "generic_json.authorization",
    "generic_json.azp",
    "generic_json.caller",
    "generic_json.claims.sub",
    "generic_json.clientId",
    "generic_json.client_id",
    "generic_json.consumer",
    "generic_json.consumer.id",
    "generic_json.consumer.username",
    "generic_json.consumerId",
    "generic_json.consumer_id",
    "generic_json.consumer_name",
    "generic_json.credential_id",
    "generic_json.email",
    "generic_json.enduser.id",
    "generic_json.headers.authorization",
    "generic_json.headers.x-api-key",
    "generic_json.identity",
    "generic_json.jwt.sub",
    "generic_json.jwt_sub",
    "generic_json.key_id",
    "generic_json.login",
    "generic_json.oauth_client_id",
    "generic_json.principal",
    "generic_json.principal_id",
    "generic_json.remote_user",
    "generic_json.request.headers.authorization",
    "generic_json.request.headers.x-api-key",
    "generic_json.service_account",
    "generic_json.session.id",
    "generic_json.sessionId",
    "generic_json.session_id",
    "generic_json.ssl_client_s_dn",
    "generic_json.sub",
    "generic_json.subject",
    "generic_json.tls.client.subject",
    "generic_json.tls_client_subject",
    "generic_json.token",
    "generic_json.token.sub",
    "generic_json.uid",
    "generic_json.user",
    "generic_json.user.email",
    "generic_json.user.id",
    "generic_json.user.name",
    "generic_json.userId",
    "generic_json.user_id",
    "generic_json.user_name",
    "generic_json.username",
    "generic_json.x-api-key",
    "generic_json.x_api_key",
    "kong.ai.mcp.mcp_session_id",
    "kong.ai.mcp.rpc[].mcp_session_id",
    "kong.authenticated_entity.id",
    "kong.consumer.id",
    "leef.accountName",
    "leef.usrName",
    "nginx_json.http_apikey",
    "nginx_json.http_x_api_key",
    "nginx_json.http_x_consumer_id",
    "nginx_json.http_x_user_id",
    "nginx_json.jwt_claim_azp",
    "nginx_json.jwt_claim_client_id",
    "nginx_json.jwt_claim_sub",
    "nginx_json.remote_user",
    "nginx_json.ssl_client_s_dn",
    "reactor_netty.user",
    "settings.principal_field",
    "traefik.ClientUsername",
    "w3c.cs-username",
];

/// The rule of that name, if there is one, for as long as the program runs.
pub fn principal_source(name: &str) -> Option<&'static str> {
    let found = PRINCIPAL_SOURCES.binary_search(&name).ok()?;
    PRINCIPAL_SOURCES.get(found).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_found_by_its_name() {
        for name in PRINCIPAL_SOURCES {
            assert_eq!(principal_source(name), Some(*name), "the list is sorted");
        }
        assert_eq!(principal_source("made.up"), None);
    }
}
