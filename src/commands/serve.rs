//! `habitus serve`: the store in a browser.

use super::forget::actor;
use super::run::wall;
use super::{Ended, Failure, Setting, answer, feedback, instant, privileges};
use crate::cli::Serve;
use connect::SecretSource;
use console::{Asking, Commands, Judgement, Privileges};
use model::Time;
use std::sync::Arc;
use store::Reader;
use tokio::signal::unix::{SignalKind, signal};

/// What the console does as the commands do it, in the name of whoever started it.
#[derive(Debug)]
struct Desk {
    setting: Setting,
    reader: Reader,
    actor: String,
}

impl Commands for Desk {
    fn now(&self) -> Time {
        wall()
    }

    fn instant(&self, typed: &str) -> Option<Time> {
        instant(typed)
    }

    fn judge(&self, judgement: &Judgement) -> Result<(), String> {
        feedback::give(&self.setting, &self.reader, judgement, &self.actor)
            .map_err(|error| crate::full(error.as_ref()))
    }

    fn query(&self, sql: String) -> Asking {
        match &self.reader {
            Reader::Directory(_) => {
                let (store, config) =
                    (self.setting.store.clone(), self.setting.config_path.clone());
                Box::pin(answer::ask(store, config, sql))
            }
            // A server has limits of its own.
            Reader::Server(client) => {
                let client = client.clone();
                Box::pin(async move { client.query(&sql).await.map_err(|it| crate::full(&it)) })
            }
        }
    }

    fn privileges(&self, tenant_id: &str, principal_id: &str) -> Result<Privileges, String> {
        privileges::of(&self.setting, &self.reader, tenant_id, principal_id)
            .map_err(|error| crate::full(error.as_ref()))
    }
}

/// Serves until the process is told to stop.
pub(crate) fn run(setting: &Setting, args: &Serve) -> Result<Ended, Failure> {
    let token = match &args.token_file {
        Some(path) => {
            let source = SecretSource { file: Some(path.clone()), command: Vec::new() };
            Some(source.read("--token-file")?.expose().to_owned())
        }
        None => None,
    };
    let reader = setting.reader()?;
    if let Reader::Server(client) = &reader {
        setting.runtime.block_on(store::clickhouse::verify(client))?;
    }
    let commands =
        Arc::new(Desk { setting: setting.clone(), reader: reader.clone(), actor: actor() });
    let settings = console::Settings {
        listen: args.listen.clone(),
        token,
        secret: setting.fresh_key,
        reader,
        commands,
    };
    setting.runtime.block_on(async {
        // Before anything is said, so that whoever waits for it may stop it at once.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let bound = console::bind(settings).await?;
        let address = bound.address();
        crate::note(&format!("the console is at http://{address}"));
        if let Some(said) = bound.elsewhere() {
            crate::note(&said);
        }
        if bound.wants_token() && !address.ip().is_loopback() {
            crate::operation::log::warn(
                "the token and the pages travel as they are: put a proxy that speaks TLS in between",
            );
        }
        bound
            .serve(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            })
            .await;
        Ok(Ended::Done)
    })
}
