//! Kubernetes audit events: who called the API server, by which verb, on which resource.
//!
//! A request has an event for each stage that it goes through; the one that ends it counts.

use super::field::{Field, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "k8s_audit",
    about: "Kubernetes audit events (ResponseComplete and Panic)",
    aliases: &["kubernetes_audit"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["auditID", "stage"],
            &["auditID", "requestURI"],
            &["auditID", "verb"],
            &["stage", "requestURI", "sourceIPs"],
            &["requestReceivedTimestamp", "verb", "user"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("requestReceivedTimestamp", Raw::Time),
    Field::raw("timestamp", Raw::Time),
    Field::raw("stageTimestamp", Raw::EndTime),
    Field::raw("stage", Raw::Aside),
    Field::text("verb", Text::RpcMethod),
    Field::raw("requestURI", Raw::Target),
    Field::int("responseStatus.code", Int::HttpResponseStatusCode),
    Field::raw("sourceIPs", Raw::Forwarded),
    Field::text("userAgent", Text::UserAgentOriginal),
    Field::text("auditID", Text::RequestId),
    Field::text("objectRef.apiGroup", Text::GatewayService),
    Field::text("annotations.authorization.k8s.io/decision", Text::PolicyDecision),
    Field::text("annotations.authorization.k8s.io/reason", Text::PolicyReason),
    Field::text("user.extra.accessKeyId", Text::CredentialId),
    Field::text("user.extra.authentication.kubernetes.io/credential-id", Text::CredentialId),
    // Whom the caller acts as; who it is itself is then the actor.
    identity!("k8s_audit", "impersonatedUser.username", IdSubject, User, Verified),
    identity!("k8s_audit", "user.username", IdConsumer, User, Verified),
];

static METHOD: Field = Field::text("verb", Text::HttpRequestMethod);
static ENDPOINT: Field = Field::text("verb, requestURI", Text::Endpoint);
static DECISION: Field =
    Field::text("annotations.authorization.k8s.io/decision", Text::PolicyDecision);
static END: Field = Field::raw("stageTimestamp", Raw::TimeKind);
static CLIENT: Field = Field::raw("sourceIPs", Raw::Client);
static IMPERSONATED: Field =
    identity!("k8s_audit", "impersonatedUser.username", IdSubject, Service, Verified);
static SERVICE: Field = identity!("k8s_audit", "user.username", IdConsumer, Service, Verified);

const SUBJECT: Slot = Slot::Raw(Raw::IdSubject);
const CALLER: Slot = Slot::Raw(Raw::IdConsumer);
const FORWARDED: Slot = Slot::Raw(Raw::Forwarded);

fn finish(record: &mut Record<'_>) {
    match record.text(Slot::Raw(Raw::Aside)) {
        None | Some("ResponseComplete" | "Panic") => {}
        Some("RequestReceived" | "ResponseStarted") => return record.refuse(Reject::Repeated),
        Some(_) => return record.refuse(Reject::UnknownFormat),
    }
    let (time, end) = (Slot::Raw(Raw::Time), Slot::Raw(Raw::EndTime));
    if !record.has(time) && record.has(end) {
        record.copy(end, time);
        record.forget(end);
        record.put_copied(&END, 0, "end");
    }
    call(record);
    // All but the last address are what the caller wrote.
    let last = record.text(FORWARDED).map(|it| it.rsplit(',').next().unwrap_or(it).trim());
    if let Some(last) = last.map(str::to_owned) {
        record.put_copied(&CLIENT, 0, &last);
    }
    if record.text(Slot::Text(Text::PolicyDecision)) == Some("forbid") {
        record.put_copied(&DECISION, 0, "deny");
    }
    for (slot, field) in [(SUBJECT, &IMPERSONATED), (CALLER, &SERVICE)] {
        let name = record.text(slot).filter(|it| is_service(it)).map(str::to_owned);
        if let Some(name) = name {
            record.put_copied(field, 0, &name);
        }
    }
    if record.has(SUBJECT) {
        record.copy(CALLER, Slot::Raw(Raw::Actor));
    }
}

/// Service accounts, nodes and what the cluster is made of.
fn is_service(name: &str) -> bool {
    ["system:", "eks:", "aks:", "gke:"].iter().any(|it| name.starts_with(it))
        && name != "system:anonymous"
}

/// The HTTP method of a verb, and the operation: the verb and the path without its names.
fn call(record: &mut Record<'_>) {
    let Some(verb) = record.text(Slot::Text(Text::RpcMethod)).map(str::to_owned) else { return };
    let method = match verb.as_str() {
        "get" | "list" | "watch" => "GET",
        "create" => "POST",
        "update" => "PUT",
        "deletecollection" => "DELETE",
        // Of paths that are no resources the verb is the method.
        other => other,
    };
    record.put_copied(&METHOD, 0, method);
    let target = record.text(Slot::Raw(Raw::Target)).unwrap_or_default();
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if let Some(template) = template(path) {
        record.put_copied(&ENDPOINT, 0, &format!("{verb} {template}"));
    }
}

/// The path of a resource with its names left out; `None` for other paths.
///
/// `/api/v1/namespaces/a/pods/b/log` is `/api/v1/namespaces/{namespace}/pods/{name}/log`.
fn template(path: &str) -> Option<String> {
    let mut parts = path.strip_prefix('/')?.trim_end_matches('/').split('/');
    let mut out = String::new();
    let mut add = |part: &str| {
        out.push('/');
        out.push_str(part);
    };
    let root = parts.next()?;
    let prefix = match root {
        "api" => 1,
        "apis" => 2,
        _ => return None,
    };
    add(root);
    for _ in 0..prefix {
        add(parts.next().filter(|it| !it.is_empty())?);
    }
    let mut rest = parts.collect::<Vec<_>>();
    if let ["namespaces", _, resource, ..] = rest.as_slice()
        && !matches!(*resource, "status" | "finalize")
    {
        add("namespaces");
        add("{namespace}");
        rest = rest.split_off(2);
    }
    match rest.as_slice() {
        [] => return None,
        [resource] => add(resource),
        [resource, _name] => {
            add(resource);
            add("{name}");
        }
        [resource, _name, subresource, tail @ ..] => {
            add(resource);
            add("{name}");
            add(subresource);
            if !tail.is_empty() {
                add("*");
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::template;
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"f47c","requestURI":"/api/v1/namespaces/default/secrets/db?limit=1","verb":"get","userAgent":"kubectl/v1.25.4","objectRef":{{"resource":"secrets","namespace":"default","name":"db"}},"responseStatus":{{"metadata":{{}},"code":200}},"responseObject":{{"data":"c4n4ry"}},"requestReceivedTimestamp":"2026-03-10T03:36:59.100000Z","stageTimestamp":"2026-03-10T03:36:59.104500Z",{fields}}}"#
        );
        crate::format::check::check(FormatId::K8sAudit, &line, expected);
    }

    #[test]
    fn a_request_is_counted_when_it_ends() {
        check(
            r#""stage":"ResponseComplete","user":{"username":"jo","groups":["system:masters"]},"sourceIPs":["198.51.100.7","10.0.0.1"],"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed"}"#,
            &[
                "time=2026-03-10T03:36:59.100Z",
                "duration_ns=4500000",
                "http_request_method=GET",
                "rpc_method=get",
                "url_path=/api/v1/namespaces/default/secrets/db",
                "endpoint=get /api/v1/namespaces/{namespace}/secrets/{name}",
                "endpoint_source=operation",
                "client_address=10.0.0.1",
                "principal_id=jo",
                "principal_type=user",
                "principal_trust=verified",
                "policy_decision=allow",
                "request_id=f47c",
            ],
        );
        check(r#""stage":"Panic","user":{"username":"jo"}"#, &["events=1"]);
        for stage in ["RequestReceived", "ResponseStarted"] {
            let fields = format!(r#""stage":"{stage}","user":{{"username":"jo"}}"#);
            check(&fields, &["events=0", "reject=repeated"]);
        }
    }

    #[test]
    fn no_secret_of_a_path_is_in_the_operation() {
        for path in ["pods/p/log;token=c4n4ry", "pods;token=c4n4ry", "pods/p;token=c4n4ry/log"] {
            let line = format!(
                r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"f","requestURI":"/api/v1/namespaces/a/{path}","verb":"get","responseStatus":{{"code":404}},"requestReceivedTimestamp":"2026-03-10T03:36:59Z","stage":"ResponseComplete","user":{{"username":"jo"}}}}"#
            );
            let parsed = crate::format::check::parse(line.as_bytes(), Some(FormatId::K8sAudit));
            let events = crate::format::check::objects(&parsed.batch);
            assert_eq!(events.len(), 1, "{line}");
            assert!(!format!("{events:?}").contains("c4n4ry"), "{events:?}");
        }
    }

    #[test]
    fn who_impersonates_is_the_actor() {
        check(
            r#""stage":"ResponseComplete","user":{"username":"system:serviceaccount:ci:bot"},"impersonatedUser":{"username":"jo"},"sourceIPs":["10.0.0.1"]"#,
            &[
                "principal_id=jo",
                "principal_source=k8s_audit.impersonatedUser.username",
                "actor_chain=system:serviceaccount:ci:bot",
            ],
        );
        check(
            r#""stage":"ResponseComplete","user":{"username":"system:serviceaccount:ci:bot"},"sourceIPs":["10.0.0.1"]"#,
            &[
                "principal_id=system:serviceaccount:ci:bot",
                "principal_type=service",
                "actor_chain=",
            ],
        );
        check(
            r#""stage":"ResponseComplete","user":{"username":"system:anonymous"},"sourceIPs":["8.8.8.8"],"annotations":{"authorization.k8s.io/decision":"forbid"}"#,
            &["principal_id=8.8.8.8", "principal_type=ip", "policy_decision=deny"],
        );
    }

    #[test]
    fn a_path_loses_its_names() {
        let of = |path| template(path).unwrap_or_default();
        assert_eq!(of("/api/v1/nodes"), "/api/v1/nodes");
        assert_eq!(of("/api/v1/namespaces/a"), "/api/v1/namespaces/{name}");
        assert_eq!(of("/api/v1/namespaces/a/finalize"), "/api/v1/namespaces/{name}/finalize");
        assert_eq!(
            of("/apis/apps/v1/namespaces/a/deployments/b/scale"),
            "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"
        );
        assert_eq!(
            of("/api/v1/namespaces/a/services/b/proxy/x/y"),
            "/api/v1/namespaces/{namespace}/services/{name}/proxy/*"
        );
        assert_eq!(of("/healthz"), "");
        assert_eq!(of("/apis/apps/v1"), "");
    }
}
