//! `habitus identity`: what is normal for one identity, and what happened to it.

use super::{Ended, Failure, Setting, query, span_conditions};
use crate::cli::{IdentityArgs, OutputFormat};
use crate::render::{self, plain};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::io::Write as _;
use store::Store;

/// Shows one identity.
pub(crate) fn run(setting: &Setting, args: &IdentityArgs) -> Result<Ended, Failure> {
    let id = store::quote(&args.id);
    let profile = format!("SELECT * FROM identities WHERE principal_id = {id}");
    if setting.output != OutputFormat::Table {
        return query::print(setting, &profile);
    }
    let mut conditions = span_conditions(&args.span, "at")?;
    conditions.push(format!("principal_id = {id}"));
    let timeline = format!(
        "SELECT to_char(at, '%Y-%m-%d %H:%M') AS at, kind, detector, headline \
         FROM identity_timeline WHERE {} ORDER BY at DESC, kind, detector LIMIT 40",
        conditions.join(" AND "),
    );
    let results = setting.runtime.block_on(async {
        let store = Store::open(&setting.store).await?;
        let profile = store.query(&profile).await?;
        Ok::<_, store::StoreError>((profile, store.query(&timeline).await?))
    });
    let ((_, profile), (schema, rows)) = results?;
    let Some(batch) = profile.iter().find(|batch| batch.num_rows() > 0) else {
        return Err(format!(
            "no identity is called `{}`; `habitus query \"SELECT principal_id FROM identities\"` lists them",
            plain(&args.id),
        )
        .into());
    };
    let mut out = std::io::stdout().lock();
    write_profile(&mut out, batch)?;
    writeln!(out)?;
    render::rows(&mut out, OutputFormat::Table, &schema, &rows)?;
    Ok(Ended::Done)
}

fn write_profile(out: &mut dyn std::io::Write, batch: &RecordBatch) -> Result<(), Failure> {
    let options = FormatOptions::default().with_null("");
    let schema = batch.schema();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let value = ArrayFormatter::try_new(column, &options)?.value(0).to_string();
        writeln!(out, "{:>26}  {}", field.name(), plain(&value))?;
    }
    Ok(())
}
