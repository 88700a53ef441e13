//! Compares brokers: runs the scenarios of `pintle bench` over each of them in turn, round after
//! round, and writes the medians and ratios as a page of `benches/results`.
//!
//! ```text
//! cargo build --release -p pintle-server
//! cargo run --release -p pintle-benches --bin compare -- --rounds 5
//! ```

mod contender;
mod figures;
mod machine;
mod neighbours;
mod scenario;
mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use clap::Parser;

use contender::{Contender, Kind, mosquitto_configuration, pintle_configuration};
use neighbours::Neighbours;
use scenario::{GROWTH, Outcome, SCENARIOS, Scenario};
use table::{Heading, Row, page};

/// Compares Pintle with mosquitto, with a relay that is no broker, and with whatever else is named.
#[derive(Parser, Debug)]
#[command(name = "compare")]
struct Arguments {
    /// How often each scenario is run over each contender
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each run, where a run has a length
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only scenarios whose name contains this; may be given again
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Large numbers and clients that are a burden, in place of the usual scenarios
    #[arg(long)]
    growth: bool,
    /// Repeats a run, up to so many times, during which other processes kept more than a
    /// twentieth of a processor busy
    #[arg(long, value_name = "TIMES", default_value_t = 0)]
    quiet: usize,
    /// Also Pintle with a password file, an ACL file and $SYS topics
    #[arg(long)]
    secured: bool,
    /// One more that runs already, as name=host:port or name=host:port,pid; may be given again
    #[arg(long, value_name = "BROKER")]
    with: Vec<Contender>,
    /// The binary that is Pintle, generator and relay; the one beside this program if not given
    #[arg(long, value_name = "FILE")]
    pintle: Option<PathBuf>,
    /// The binary that is mosquitto
    #[arg(long, default_value = "/usr/sbin/mosquitto", value_name = "FILE")]
    mosquitto: PathBuf,
    /// Where the page goes; benches/results/DATE.md if not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Processors that others may keep busy during a run that is to be quiet.
const BUSY_MAX: f64 = 0.05;
/// How long to wait for such a moment.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let binary = pintle_binary(&arguments)?;
    let contenders = contenders(&arguments, &binary);
    let all = if arguments.growth { GROWTH } else { SCENARIOS };
    let scenarios: Vec<&Scenario> = all
        .iter()
        .filter(|scenario| {
            arguments.only.is_empty()
                || arguments.only.iter().any(|text| scenario.name.contains(text.as_str()))
        })
        .collect();
    if scenarios.is_empty() {
        bail!("no scenario has such a name");
    }
    let folder = env::temp_dir().join(format!("pintle-compare-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let load = machine::load();
    let rows: Result<Vec<Row<'_>>> = scenarios
        .iter()
        .map(|scenario| compare(scenario, &contenders, &arguments, &binary, &folder))
        .collect();
    fs::remove_dir_all(&folder)?;
    let names: Vec<String> = contenders.iter().map(|contender| contender.name.clone()).collect();
    let heading = heading(&arguments, &contenders, &load)?;
    let page = page(&heading, &names, &rows?);
    let out =
        arguments.out.unwrap_or_else(|| results_folder().join(format!("{}.md", heading.date)));
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&out, &page).with_context(|| format!("cannot write {}", out.display()))?;
    println!("{page}\nwritten to {}", out.display());
    Ok(())
}

fn pintle_binary(arguments: &Arguments) -> Result<PathBuf> {
    let binary = match &arguments.pintle {
        Some(binary) => binary.clone(),
        None => env::current_exe()?.with_file_name("pintle"),
    };
    if !binary.exists() {
        bail!(
            "there is no {} (cargo build --release -p pintle-server, or --pintle FILE)",
            binary.display()
        );
    }
    Ok(binary)
}

/// Pintle first: the others are what it is compared with.
fn contenders(arguments: &Arguments, binary: &Path) -> Vec<Contender> {
    let contender = |name: &str, kind| Contender { name: name.to_owned(), kind };
    let mut contenders = vec![contender("Pintle", Kind::Pintle(binary.to_owned()))];
    if arguments.mosquitto.exists() {
        contenders.push(contender("mosquitto", Kind::Mosquitto(arguments.mosquitto.clone())));
    }
    if arguments.secured {
        let kind = Kind::PintleSecured(binary.to_owned());
        contenders.push(contender("Pintle secured", kind));
    }
    contenders.push(contender("relay", Kind::Relay(binary.to_owned())));
    contenders.extend(arguments.with.iter().cloned());
    contenders
}

/// All rounds of one scenario; who comes first changes from round to round.
fn compare<'a>(
    scenario: &'a Scenario,
    contenders: &[Contender],
    arguments: &Arguments,
    binary: &Path,
    folder: &Path,
) -> Result<Row<'a>> {
    let takes_part =
        |contender: &Contender| scenario.is_for_relay || !matches!(contender.kind, Kind::Relay(_));
    let mut outcomes: Vec<Option<Vec<Outcome>>> =
        contenders.iter().map(|contender| takes_part(contender).then(Vec::new)).collect();
    for round in 0..arguments.rounds {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            let (Some(contender), Some(Some(outcomes))) =
                (contenders.get(at), outcomes.get_mut(at))
            else {
                continue;
            };
            let outcome = run(scenario, contender, arguments, binary, folder)?;
            eprintln!("{}, round {}, {}: {outcome:?}", scenario.name, round + 1, contender.name);
            outcomes.push(outcome);
        }
    }
    Ok(Row { scenario, outcomes })
}

/// One run, over a broker of its own; again if others disturbed it, and then the quietest counts.
fn run(
    scenario: &Scenario,
    contender: &Contender,
    arguments: &Arguments,
    binary: &Path,
    folder: &Path,
) -> Result<Outcome> {
    let mut quietest: Option<(f64, Outcome)> = None;
    for _ in 0..=arguments.quiet {
        if arguments.quiet > 0 {
            Neighbours::wait_for_quiet(BUSY_MAX, PATIENCE);
        }
        let running = contender.start(folder)?;
        let broker = running.endpoint.pid;
        let before = Neighbours::without(broker);
        let outcome = scenario.run(binary, &running.endpoint, arguments.seconds)?;
        let busy = Neighbours::without(broker).busy_since(&before);
        if quietest.as_ref().is_none_or(|(least, _)| busy < *least) {
            quietest = Some((busy, outcome));
        }
        if busy < BUSY_MAX {
            break;
        }
        eprintln!("{}, {}: others kept {busy:.2} processors busy", scenario.name, contender.name);
    }
    let (_, outcome) = quietest.context("no run was made")?;
    Ok(outcome)
}

fn heading(arguments: &Arguments, contenders: &[Contender], load: &str) -> Result<Heading> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut facts = machine::description();
    facts.push(format!("Load before and after: {load}, {}", machine::load()));
    facts.push(format!("Commit: {}", machine::commit(&results_folder())));
    facts.extend(contenders.iter().map(|c| format!("{}: {}", c.name, c.version())));
    let one_line = |text: String| text.trim().replace('\n', "; ");
    facts.push(format!("Pintle's configuration: `{}`", one_line(pintle_configuration(1883))));
    facts.push(format!("mosquitto's: `{}`", one_line(mosquitto_configuration(1883))));
    facts.push(format!("Rounds: {}, seconds: {}", arguments.rounds, arguments.seconds));
    let command: Vec<String> = env::args().skip(1).collect();
    facts.push(format!(
        "Command: `cargo run --release -p pintle-benches --bin compare -- {}`",
        command.join(" ")
    ));
    Ok(Heading { date: machine::date(seconds), facts })
}

fn results_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results")
}
