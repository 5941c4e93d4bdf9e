//! Who writes a service's epochs to a directory that several processes share.
//!
//! A process that was paused may wake and write an epoch that another one has written since: the run
//! has the same name, and would be replaced by less. So whoever begins to lead says so in the
//! manifest, and a writer of epochs commits only while the manifest names it.

use crate::directory::{Store, in_background};
use crate::error::StoreError;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::writer::Writer;

impl Store {
    /// Makes `leader` the one process that writes the epochs of `group` from now on.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] if somebody else writes for 5 s.
    pub async fn lead(&self, group: &str, leader: &str) -> Result<(), StoreError> {
        let (dir, group, leader) = (self.dir().to_owned(), group.to_owned(), leader.to_owned());
        in_background(move || {
            let _held_to_the_last_step = Lock::patient_writer(&dir)?;
            let manifest = Manifest::read(&dir)?.unwrap_or_else(Manifest::empty);
            if manifest.is_led_by(&group, &leader) {
                return Ok(());
            }
            manifest.with_leader(&group, &leader).write(&dir)
        })
        .await
    }
}

impl Writer {
    /// Commits only while `leader` is the one that writes the epochs of `group`, else fails with
    /// [`StoreError::Deposed`].
    pub fn led_by(mut self, group: &str, leader: &str) -> Self {
        self.leader = Some((group.to_owned(), leader.to_owned()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::RunId;

    #[tokio::test]
    async fn whoever_was_replaced_commits_nothing_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path(), None, [7; 32]).await.unwrap();
        let run = RunId::epoch("group", 1);
        let commit = |leader: &'static str| {
            let writer = store.writer(&run).led_by("group", leader);
            async move { writer.commit().await }
        };
        assert!(matches!(commit("one").await, Err(StoreError::Deposed { .. })), "nobody leads");
        store.lead("group", "one").await.unwrap();
        commit("one").await.unwrap();
        store.lead("group", "two").await.unwrap();
        store.lead("other", "one").await.unwrap();
        let error = commit("one").await.unwrap_err();
        assert!(error.to_string().contains("group group"), "{error}");
        commit("two").await.unwrap();
        store.lead("group", "one").await.unwrap();
        commit("one").await.unwrap();
    }
}
