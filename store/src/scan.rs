//! A table as the engine sees it: exactly the files that one manifest lists, and their rows counted.
//!
//! The engine's own listing of files passes over one that is gone as if it had been empty. Here a
//! missing file is an error, because an answer without its rows would be wrong.

use crate::manifest::Manifest;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Statistics};
use datafusion::datasource::file_format::FileFormat as _;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileScanConfigBuilder;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use model::tables::Table;
use std::sync::Arc;

/// The visible files of one table.
#[derive(Debug)]
pub(crate) struct Scan {
    root: ObjectStoreUrl,
    schema: SchemaRef,
    /// Paths below the root, with their bytes.
    files: Vec<(String, u64)>,
    rows: u64,
}

impl Scan {
    /// The files that `manifest` lists for a table, below `root`; none, if it has no rows.
    pub(crate) fn new(root: ObjectStoreUrl, manifest: &Manifest, table: Table) -> Self {
        let path = |name: &str| format!("{}/{name}", table.as_str());
        Self {
            root,
            schema: table.schema(),
            files: manifest.files(table).map(|file| (path(&file.name), file.bytes)).collect(),
            rows: manifest.files(table).map(|file| file.rows).sum(),
        }
    }

    async fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let format = ParquetFormat::default();
        let source = format.file_source(TableSchema::from(Arc::clone(&self.schema)));
        let statistics = Statistics::new_unknown(&self.schema)
            .with_num_rows(Precision::Exact(usize::try_from(self.rows).unwrap_or(usize::MAX)));
        let files = self.files.iter().map(|(path, bytes)| PartitionedFile::new(path, *bytes));
        let config = FileScanConfigBuilder::new(self.root.clone(), source)
            .with_file_group(files.collect())
            .with_projection_indices(projection.cloned())?
            .with_statistics(statistics)
            .with_limit(limit)
            .build();
        format.create_physical_plan(state, config).await
    }
}

impl TableProvider for Scan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    // Written out as the trait's macro would, so that the macro is no dependency.
    fn scan<'me, 'state, 'columns, 'filters, 'async_trait>(
        &'me self,
        state: &'state dyn Session,
        projection: Option<&'columns Vec<usize>>,
        _filters: &'filters [Expr],
        limit: Option<usize>,
    ) -> BoxFuture<'async_trait, Result<Arc<dyn ExecutionPlan>, DataFusionError>>
    where
        'me: 'async_trait,
        'state: 'async_trait,
        'columns: 'async_trait,
        'filters: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.plan(state, projection, limit))
    }
}
