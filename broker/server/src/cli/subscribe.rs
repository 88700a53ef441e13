//! `pintle sub`: prints the messages of topics.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use clap::Args;
use pintle_mqtt::{Publish, QoS, RetainHandling, SubscribeOptions};

use super::Exit;
use super::client_args::{ClientArgs, parse_qos};
use crate::client::{Connection, json};

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(super) struct SubscribeArgs {
    /// Topic Filter; may be given again. $share/NAME/FILTER shares the messages with others
    #[arg(short = 't', long = "topic", required = true)]
    topics: Vec<String>,
    /// Highest QoS
    #[arg(short = 'q', long, default_value = "0", value_parser = parse_qos)]
    qos: QoS,
    /// Print the topic before the payload
    #[arg(short = 'v', long)]
    verbose: bool,
    /// Print each message as one JSON object
    #[arg(long, conflicts_with_all = ["verbose", "no_line_end"])]
    json: bool,
    /// Print no line end after a payload
    #[arg(short = 'N', long = "no-eol")]
    no_line_end: bool,
    /// End after so many messages
    #[arg(short = 'C', long = "count", value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds, with exit code 27
    #[arg(short = 'W', long = "timeout", value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Print no messages that were retained before
    #[arg(short = 'R', long)]
    no_retained: bool,
    /// End once the subscription is made
    #[arg(short = 'E', long)]
    exit_after_subscribe: bool,
    #[command(flatten)]
    client: ClientArgs,
}

/// How long a wait is before a look at whether somebody pressed Ctrl-C.
const GLANCE: Duration = Duration::from_millis(200);

pub(super) fn run(args: &SubscribeArgs) -> Result<Exit> {
    let interrupted = watch_for_interrupts()?;
    let mut connection = Connection::open(&args.client.options()?)?;
    let mut options = SubscribeOptions::with_qos(args.qos);
    if args.no_retained {
        options.retain_handling = RetainHandling::DoNotSend;
    }
    connection.subscribe(&args.topics, options)?;
    let exit = if args.exit_after_subscribe {
        Exit::Success
    } else {
        print_messages(&mut connection, args, &interrupted)?
    };
    connection.close()?;
    Ok(exit)
}

fn print_messages(
    connection: &mut Connection,
    args: &SubscribeArgs,
    interrupted: &AtomicBool,
) -> Result<Exit> {
    let timeout = args.timeout.and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let now = Instant::now();
        if interrupted.load(Ordering::Relaxed) {
            return Ok(Exit::Success);
        }
        if deadline.is_some_and(|deadline| now >= deadline) {
            return Ok(Exit::TimedOut);
        }
        let until = deadline.map_or(now + GLANCE, |deadline| deadline.min(now + GLANCE));
        let mut printed = Ok(false);
        connection.receive(Some(until), |publish| printed = print(args, publish))?;
        match printed {
            Ok(true) => left -= 1,
            Ok(false) => {}
            // Whoever read our output has gone; there is nothing left to do.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Exit::Success)
}

/// Prints a message; false if it is one that was not asked for.
fn print(args: &SubscribeArgs, publish: &Publish<'_>) -> io::Result<bool> {
    // Before MQTT 5 the broker sends retained messages whatever the client wants.
    if args.no_retained && publish.flags.retain {
        return Ok(false);
    }
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", json(publish, SystemTime::now()))?;
    } else {
        if args.verbose {
            write!(out, "{} ", publish.topic.map_or("", |topic| topic.as_str()))?;
        }
        out.write_all(publish.payload)?;
        if !args.no_line_end {
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(true)
}

/// Lets Ctrl-C end the connection properly, so that no will is sent; pressed again, it ends the
/// process.
fn watch_for_interrupts() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&interrupted);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if seen.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
            }
        });
    })?;
    Ok(interrupted)
}
