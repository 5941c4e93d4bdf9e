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
    use crate::clickhouse::migration::MIGRATIONS;
    use crate::clickhouse::stub::{Reply, serve};
    use crate::clickhouse::{Plaintext, Settings};
    use crate::reader::Question;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// Adds the tables and views that a text reads, and those beneath the views.
    fn add_read(text: &str, read: &mut BTreeSet<String>) {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
        for (before, name) in words.iter().zip(words.iter().skip(1)) {
            let name = name.trim_end_matches([')', ',']);
            if !["FROM", "JOIN"].contains(before) || name.starts_with('(') {
                continue;
            }
            if read.insert(name.to_owned())
                && let Some(view) = view(name)
            {
                add_read(&view, read);
            }
        }
    }

    /// The last definition of a view.
    fn view(name: &str) -> Option<String> {
        let mut all = MIGRATIONS.iter().flat_map(|it| statements(&filled(it.text, "")));
        all.rfind(|text| {
            let head = text.lines().next().unwrap_or_default();
            head.contains(" VIEW ") && head.split_whitespace().next_back() == Some(name)
        })
    }

    /// The questions that the program asks by itself: those in its sources beside the commands, which
    /// ask as the person who runs them.
    fn asked() -> BTreeSet<String> {
        let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../src")];
        let mut asked = BTreeSet::new();
        while let Some(path) = open.pop() {
            if path.is_dir() {
                let inside = fs::read_dir(&path).unwrap().map(|it| it.unwrap().path());
                open.extend(inside.filter(|it| !it.ends_with("src/commands")));
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let named = text.split("Question::").skip(1);
            let ends = |c: char| !c.is_ascii_alphanumeric();
            asked.extend(named.map(|it| it.split(ends).next().unwrap_or_default().to_owned()));
        }
        asked
    }

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
                "identity_profile",
                "peer_group",
                "detector_quality",
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
    fn a_writer_may_read_what_the_service_asks_and_what_a_replay_shows() {
        let mut asked = asked();
        assert!(asked.contains("Critical"), "{asked:?}");
        asked.extend(["Findings", "Verdicts"].map(str::to_owned));
        let mut read = BTreeSet::new();
        for name in asked {
            let question = Question::ALL.into_iter().find(|it| format!("{it:?}") == name).unwrap();
            add_read(question.texts().1, &mut read);
        }
        for beneath in ["feedback", "feedback_in_force", "findings"] {
            assert!(read.contains(beneath), "{read:?}");
        }
        let texts = texts("db", None, &[]).unwrap();
        let of = texts.iter().filter_map(|text| text.strip_suffix(" TO habitus_writer"));
        let granted: BTreeSet<_> = of
            .filter_map(|text| text.split_once("SELECT ON db."))
            .map(|(_, table)| table)
            .collect();
        for table in &read {
            assert!(granted.contains(table.as_str()), "{table} is not among {granted:?}");
        }
    }

    #[test]
    fn a_name_that_could_leave_its_quotes_is_refused() {
        for tenant in ["", "a'b", "a`b", "a b", "a-b", "ä", &"a".repeat(65)] {
            assert!(texts("db", None, &[tenant]).is_err(), "{tenant}");
        }
        assert!(texts("db", Some("a'b"), &[]).is_err());
    }
}
