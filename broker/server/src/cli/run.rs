//! `pintle run`: the broker, until a signal ends it.

use std::thread;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{Exit, SourceArgs};
use crate::broker::{Broker, FileWatch, Running};
use crate::config::{Config, Sources};
use crate::telemetry::{Telemetry, Verbosity};

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    #[command(flatten)]
    sources: SourceArgs,
    /// Log a line for each packet too
    #[arg(short = 'v', long, conflicts_with = "quiet")]
    verbose: bool,
    /// Log warnings and errors only
    #[arg(short = 'q', long)]
    quiet: bool,
}

impl RunArgs {
    fn verbosity(&self) -> Verbosity {
        match (self.verbose, self.quiet) {
            (true, _) => Verbosity::Packets,
            (false, true) => Verbosity::Quiet,
            (false, false) => Verbosity::Configured,
        }
    }
}

pub(super) fn run(args: &RunArgs) -> Result<Exit> {
    let sources = args.sources.sources();
    let config = Config::load(&sources)?;
    let telemetry = Telemetry::init(&config.log, args.verbosity())?;
    if let Some(file) = &config.log.file {
        eprintln!("pintle: logging to {}", file.display());
    }
    let is_bare = sources.file.is_none();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime for signals")?;
    runtime.block_on(async {
        // Signals are caught before clients can connect, so that none ends the broker rudely.
        let mut signals = Signals::catch()?;
        let mut watch = FileWatch::new(config.watched_files());
        let running = Broker::builder()
            .config(config)
            .sources(sources.clone())
            .telemetry(telemetry)
            .start()?;
        say_how_to_go_on(&sources, is_bare);
        serve(&running, &mut signals, &mut watch).await;
        end(running, &mut signals).await
    })
}

fn say_how_to_go_on(sources: &Sources, is_bare: bool) {
    match &sources.file {
        Some(file) => info!("Changes of {} are applied when it is saved.", file.display()),
        None if is_bare => info!(
            "Try `pintle sub -v -t '#'` and `pintle pub -t hello -m world`; \
             to let in others, make a password file with `pintle passwd` and a configuration for \
             `--config` (README.md and examples/configs show how)."
        ),
        None => {}
    }
}

/// The signals that a service is sent.
pub(super) struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn catch() -> Result<Self> {
        let catch = |kind| signal(kind).context("cannot catch signals");
        Ok(Self {
            hang_up: catch(SignalKind::hangup())?,
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }

    async fn end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Reloads whenever somebody asks for it, until somebody ends the broker.
pub(super) async fn serve(running: &Running, signals: &mut Signals, watch: &mut FileWatch) {
    loop {
        tokio::select! {
            _ = signals.hang_up.recv() => info!("SIGHUP: reading the configuration again."),
            () = running.watched_changed() => {
                watch.follow(running.watched());
                running.refresh_loaded();
                continue;
            }
            () = watch.changed() => info!("A file has changed: reading the configuration again."),
            signal = async {
                tokio::select! {
                    _ = signals.terminate.recv() => "SIGTERM",
                    _ = signals.interrupt.recv() => "SIGINT",
                }
            } => {
                info!("{signal}: shutting down; once more ends at once.");
                return;
            }
        }
        watch.look();
        // What came of it is in the log.
        let _ = running.reload();
        watch.follow(running.watched());
    }
}

/// Shuts down beside this thread, so that a second signal is heard.
pub(super) async fn end(running: Running, signals: &mut Signals) -> Result<Exit> {
    let (done, is_done) = oneshot::channel();
    thread::Builder::new()
        .name("shutdown".to_owned())
        .spawn(move || {
            running.shutdown();
            // Nobody listens if a second signal came first.
            let _ = done.send(());
        })
        .context("cannot shut down in an orderly way")?;
    tokio::select! {
        _ = is_done => Ok(Exit::Success),
        signal = signals.end() => {
            warn!("{signal}: ending at once.");
            std::process::exit(130)
        }
    }
}
