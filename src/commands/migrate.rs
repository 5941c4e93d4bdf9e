//! `habitus migrate`: the tables of a ClickHouse server, and the roles of its users.

use super::{Ended, Failure, Setting};
use crate::cli::Migrate;
use std::io::Write as _;

/// Makes or renews the tables, and the roles where they are wished.
pub(crate) fn run(setting: &Setting, args: &Migrate) -> Result<Ended, Failure> {
    let client = setting.server()?.ok_or(
        "only a server has tables to make: give it as --store clickhouse://user@host/database",
    )?;
    let cluster = args.cluster.as_deref();
    let applied = setting.runtime.block_on(store::clickhouse::migrate(&client, cluster))?;
    let mut out = std::io::stdout().lock();
    for one in &applied {
        writeln!(out, "{:>4}  {}", one.version, one.name)?;
    }
    writeln!(
        out,
        "{}",
        match applied.len() {
            0 => "nothing to do: the tables are those of this version".to_owned(),
            _ => "the tables are those of this version".to_owned(),
        }
    )?;
    if args.roles {
        let tenants: Vec<_> = args.tenant.iter().map(String::as_str).collect();
        let granted = store::clickhouse::grant(&client, cluster, &tenants);
        let roles = setting.runtime.block_on(granted)?;
        crate::note(&format!(
            "the roles are there: {}; grant them to the users that you make",
            roles.join(", ")
        ));
    }
    Ok(Ended::Done)
}
