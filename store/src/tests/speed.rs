//! How fast rows are written; run by hand: `cargo test --workspace --lib -- speed --ignored --nocapture`.

use super::sample::rows;
use super::{run, store};
use model::tables::Table;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and asserts nothing"]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement by hand")]
async fn a_million_rows_are_written() {
    for table in Table::ALL {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        let count = if table == Table::Findings { 50_000 } else { 1_000_000 };
        let batches: Vec<_> = (0..count)
            .step_by(8_192)
            .map(|row| rows(table, row, (row + 8_192).min(count)))
            .collect();
        let start = std::time::Instant::now();
        let mut writer = store.writer(&run("a"));
        for batch in batches {
            writer.write(table, batch).await.unwrap();
        }
        let written = writer.commit().await.unwrap().total();
        let seconds = start.elapsed().as_secs_f64();
        let values = count * table.schema().fields().len();
        println!(
            "{:10} {:>9.0} rows/s {:>6.1} ns/value {:>6.2} bytes/value",
            table.as_str(),
            count as f64 / seconds,
            seconds * 1e9 / values as f64,
            written.bytes as f64 / values as f64
        );
        let start = std::time::Instant::now();
        super::count(&store, table.as_str()).await;
        println!("{:10} {:>9.1} ms for one question", "", start.elapsed().as_secs_f64() * 1e3);
    }
}
