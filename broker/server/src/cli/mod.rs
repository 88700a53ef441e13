//! The command line.

mod admin_client;
mod check;
mod client_args;
mod config_show;
mod passwd;
mod plugin;
mod plugin_admin;
mod plugin_bench;
mod plugin_check;
mod plugin_dev;
mod plugin_new;
mod plugin_target;
mod plugin_test;
mod plugin_text;
mod plugin_types;
mod publish;
mod run;
mod subscribe;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::bench::{self, BenchArgs};
use crate::config::{Flags, Sources};

/// A small, fast MQTT broker that asks its plugins.
///
/// Without a command it runs the broker; without a configuration that listens on this machine only,
/// for MQTT on port 1883 and for WebSocket on port 9001.
#[derive(Parser, Debug)]
#[command(name = "pintle", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the broker (what `pintle` does without a command)
    Run(run::RunArgs),
    /// Check a configuration with its plugins and files, and change nothing
    Check(SourceArgs),
    /// Look at a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make, change and check password files
    Passwd(passwd::PasswdArgs),
    /// Write, try and look at plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Put load on a broker, any broker, and check what comes back
    Bench(BenchArgs),
    /// Publish messages
    Pub(publish::PublishArgs),
    /// Print the messages of topics
    Sub(subscribe::SubscribeArgs),
}

#[derive(Subcommand, Debug)]
enum ConfigCommand {
    /// Print every value in force and where it comes from
    Show(SourceArgs),
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug, Default)]
struct SourceArgs {
    /// The configuration; files in conf.d beside it are read too [env: PINTLE_CONFIG]
    #[arg(short = 'c', long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen for MQTT, in place of 127.0.0.1:1883
    #[arg(long, value_name = "ADDRESS:PORT")]
    bind: Option<String>,
    /// Where state is kept
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Threads that serve connections: a number, or auto
    #[arg(long, value_name = "N")]
    workers: Option<String>,
}

impl SourceArgs {
    fn sources(&self) -> Sources {
        let flags = Flags {
            bind: self.bind.clone(),
            data_dir: self.data_dir.clone(),
            workers: self.workers.clone(),
        };
        Sources::from_environment(self.config.clone(), flags)
    }
}

/// How a command ends that has not failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Success,
    /// The answer to a question is no.
    No,
    /// The command line makes no sense.
    Usage,
    /// Time ran out first; mosquitto's code for it.
    TimedOut,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::No => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::TimedOut => Self::from(27),
        }
    }
}

/// Does what the command line says. The whole `main` of `pintle`.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            for line in format!("{error:#}").lines() {
                eprintln!("pintle: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: &Cli) -> Result<Exit> {
    match &cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(args),
        Some(Command::Check(sources)) => check::run(sources),
        Some(Command::Config(ConfigCommand::Show(sources))) => config_show::run(sources),
        Some(Command::Passwd(args)) => passwd::run(args),
        Some(Command::Plugin(command)) => plugin::run(command),
        Some(Command::Bench(args)) => Ok(if bench::run(args)? { Exit::Success } else { Exit::No }),
        Some(Command::Pub(args)) => publish::run(args),
        Some(Command::Sub(args)) => subscribe::run(args),
    }
}

/// Writes to standard output; that its reader has gone is no error.
fn print(text: &str) -> Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
