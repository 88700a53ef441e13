//! Counts the instructions of what happens to a message, with valgrind, and holds them to a
//! baseline. Nothing is timed, so a busy machine tells the same as a quiet one.
//!
//! ```text
//! cargo run -p pintle-benches --release --bin instructions --no-default-features -- check
//! cargo run -p pintle-benches --release --bin instructions --no-default-features -- check route
//! cargo run -p pintle-benches --release --bin instructions --no-default-features -- update
//! ```
//!
//! `check` ends with 1 if a case takes over a tenth more instructions than the baseline says, and
//! compares nothing where there is no valgrind or the compiler is another.

mod baseline;
mod callgrind;
mod cases;
mod comparison;
mod engine_loop;
mod made_by;
mod workload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};
use std::{env, io};

use anyhow::{Context, Result, bail};

use baseline::{Baseline, Counts, for_one};
use comparison::Comparison;
use made_by::MadeBy;
use workload::{Case, RUNS, run_all};

const USAGE: &str = "usage: instructions check [PART OF A NAME] | update | run CASE";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["check"] => check(""),
        ["check", part] => check(part),
        ["update"] => update(),
        ["run", name] => run(name),
        _ => bail!(USAGE),
    }
}

/// The file that holds the baseline, beside this one.
fn baseline_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions/baseline.json")
}

/// Compares the cases whose names contain `part` with the baseline.
fn check(part: &str) -> Result<ExitCode> {
    let Some(valgrind) = callgrind::version() else {
        return Ok(skip("there is no valgrind on this machine"));
    };
    let program = env::current_exe()?;
    let here = MadeBy::here(&program, valgrind)?;
    let Baseline { made_by, mut instructions } = Baseline::read(&baseline_path())?;
    if made_by.rustc != here.rustc {
        let (ours, theirs) = (&here.rustc, &made_by.rustc);
        return Ok(skip(&format!("the compiler is {ours}; the baseline is by {theirs}")));
    }
    if made_by.profile != here.profile {
        bail!("the baseline is of another profile: run this with --{}", made_by.profile);
    }
    instructions.retain(|name, _| name.contains(part));
    let comparison = Comparison::new(&instructions, &count(&program, part)?);
    print!("{comparison}");
    for difference in made_by.differences(&here) {
        println!("Note: {difference}.");
    }
    if comparison.is_outdated() {
        println!("To hold what is counted now, run this with `update` and commit the baseline.");
    }
    if !comparison.passes() && made_by.processor != here.processor {
        return Ok(skip("counts of another processor prove nothing"));
    }
    Ok(if comparison.passes() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn skip(reason: &str) -> ExitCode {
    println!("SKIPPED: instructions are NOT COMPARED: {reason}.");
    ExitCode::SUCCESS
}

/// Makes the baseline of what is counted now.
fn update() -> Result<ExitCode> {
    let valgrind = callgrind::version().context("there is no valgrind on this machine")?;
    let program = env::current_exe()?;
    let made_by = MadeBy::here(&program, valgrind)?;
    let baseline = Baseline { made_by, instructions: count(&program, "")? };
    baseline.write(&baseline_path())?;
    println!("{} cases in {}", baseline.instructions.len(), baseline_path().display());
    Ok(ExitCode::SUCCESS)
}

/// The work of one case, for callgrind to look at.
fn run(name: &str) -> Result<ExitCode> {
    let case = cases::all().into_iter().find(|case| case.name == name);
    let case = case.with_context(|| format!("there is no case {name}"))?;
    run_all(&mut *(case.prepare)()?);
    Ok(ExitCode::SUCCESS)
}

/// Counts the cases whose names contain `part`, as many at once as there are cores.
fn count(program: &Path, part: &str) -> Result<Counts> {
    let cases: Vec<Case> = cases::all().into_iter().filter(|c| c.name.contains(part)).collect();
    if cases.is_empty() {
        bail!("no case has {part} in its name");
    }
    let next = AtomicUsize::new(0);
    let counts = Mutex::new(Ok(Counts::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            note(count_one(program, case).map(|count| (case.name, count)), &counts);
        }
    };
    thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from).min(cases.len()) {
            scope.spawn(work);
        }
    });
    counts.into_inner().map_err(|_| io::Error::other("counting panicked"))?
}

fn count_one(program: &Path, case: &Case) -> Result<f64> {
    let instructions = callgrind::count(program, case.name)?;
    Ok(for_one(instructions, u64::from(RUNS) * u64::from(case.operations)))
}

/// Keeps a count, or the first error.
fn note(counted: Result<(&str, f64)>, counts: &Mutex<Result<Counts>>) {
    let Ok(mut counts) = counts.lock() else { return };
    match (counted, counts.as_mut()) {
        (Ok((name, count)), Ok(counts)) => _ = counts.insert(name.to_owned(), count),
        (Err(error), Ok(_)) => *counts = Err(error),
        (_, Err(_)) => {}
    }
}
