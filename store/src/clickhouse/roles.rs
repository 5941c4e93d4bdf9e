//! Roles: who may write, ask and look, for users that an administrator makes.

use crate::clickhouse::client::Client;
use crate::clickhouse::migration::{filled, on_cluster, statements};
use crate::clickhouse::settings::is_name;
use crate::error::StoreError;

/// The roles of a server.
const ROLES: &str = include_str!("../../migrations/roles.sql");
/// The roles of one tenant.
const TENANT: &str = include_str!("../../migrations/roles_tenant.sql");

/// Makes the roles `habitus_writer`, `habitus_analyst`, `habitus_grafana`, `habitus_privacy` and
/// `habitus_feedback`, and for each tenant a role `habitus_grafana_<tenant>` that sees no other tenant's rows.
///
/// The client's user must have the right to grant. What is there already stays as it is. Names of
/// tenants take letters, digits and `_`. Yields the names of the roles.
pub async fn grant(
    client: &Client,
    cluster: Option<&str>,
    tenants: &[&str],
) -> Result<Vec<String>, StoreError> {
    let statements = texts(client.settings().database(), cluster, tenants)?;
    for statement in &statements {
        client.execute(statement).await?;
    }
    Ok(statements.iter().filter_map(|statement| role(statement)).collect())
}

/// The name of the role that a statement makes, if it makes one.
fn role(statement: &str) -> Option<String> {
    let name = statement.strip_prefix("CREATE ROLE IF NOT EXISTS ")?.split_whitespace().next()?;
    Some(name.trim_matches('`').to_owned())
}

pub(crate) fn texts(
    database: &str,
    cluster: Option<&str>,
    tenants: &[&str],
) -> Result<Vec<String>, StoreError> {
    let on_cluster = on_cluster(cluster)?;
    let roles = filled(ROLES, &on_cluster).replace("{database}", database);
    let mut all = statements(&roles);
    let tenant_roles = filled(TENANT, &on_cluster).replace("{database}", database);
    for tenant in tenants {
        if !is_name(tenant) {
            return Err(StoreError::Name { what: "tenant", allowed: "a-z, A-Z, 0-9 and _" });
        }
        all.extend(statements(&tenant_roles.replace("{tenant}", tenant)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::stub::{Reply, serve};
    use crate::clickhouse::{Plaintext, Settings};

    #[test]
    fn no_placeholder_is_left_and_every_tenant_is_restricted() {
        for cluster in [None, Some("main")] {
            let texts = texts("db", cluster, &["acme", "b_2"]).unwrap();
            for text in &texts {
                assert!(!text.contains(['{', '}', ';']), "{text}");
                assert_eq!(text.contains("ON CLUSTER 'main'"), cluster.is_some(), "{text}");
            }
            for tenant in ["acme", "b_2"] {
                let restriction = format!("USING tenant_id = '{tenant}' AS RESTRICTIVE TO");
                assert_eq!(texts.iter().filter(|text| text.contains(&restriction)).count(), 1);
            }
        }
    }

    #[test]
    fn a_tenant_sees_only_tables_that_say_whose_a_row_is() {
        let texts = texts("db", None, &["acme"]).unwrap();
        let restriction = texts.iter().find(|text| text.contains("RESTRICTIVE")).unwrap();
        let granted = texts.iter().filter(|it| it.contains("GRANT") && it.contains("_acme"));
        for grant in granted {
            let table = grant.split("ON db.").nth(1).unwrap().split(' ').next().unwrap();
            let is_view = [
                "findings_current",
                "findings_latest",
                "incidents_current",
                "feedback_in_force",
                "identity_timeline",
                "identity_risk",
            ]
            .contains(&table);
            assert!(is_view || restriction.contains(&format!("db.{table}")), "{grant}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_statement_reaches_the_server_in_its_order() {
        let wanted = texts("db", None, &["acme"]).unwrap();
        let (port, asked) = serve(&vec![Reply::Says(200, None, ""); wanted.len()]);
        // The stub's queue may be shorter than all that is asked.
        let asked = std::thread::spawn(move || asked.into_iter().collect::<Vec<_>>());
        let url = format!("clickhouse://127.0.0.1:{port}/db");
        let client = Client::new(Settings::parse(&url, Plaintext::Refused).unwrap()).unwrap();
        let roles = grant(&client, None, &["acme"]).await.unwrap();
        let asked = asked.join().unwrap();
        let asked: Vec<_> = asked.iter().map(|it| std::str::from_utf8(&it.body).unwrap()).collect();
        assert_eq!(asked, wanted);
        assert_eq!(
            roles,
            [
                "habitus_writer",
                "habitus_analyst",
                "habitus_grafana",
                "habitus_privacy",
                "habitus_feedback",
                "habitus_grafana_acme",
            ]
        );
    }

    #[test]
    fn a_name_that_could_leave_its_quotes_is_refused() {
        for tenant in ["", "a'b", "a`b", "a b", "a-b", "ä", &"a".repeat(65)] {
            assert!(texts("db", None, &[tenant]).is_err(), "{tenant}");
        }
        assert!(texts("db", Some("a'b"), &[]).is_err());
    }
}
