//! `pintle plugin test`: the cases of a plugin, without a broker.

use std::fmt::Write;

use anyhow::Result;
use clap::Args;
use pintle_plugin_host::{CaseFile, CaseResult, run_cases};

use super::plugin_target::{TargetArgs, tell};
use super::{Exit, print};

#[derive(Args, Debug)]
pub(super) struct TestArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Run the cases with this in their name only
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
}

pub(super) fn run(args: &TestArgs) -> Result<Exit> {
    let spec = match args.target.spec() {
        Ok(spec) => spec,
        Err(error) => {
            tell(&error);
            return Ok(Exit::No);
        }
    };
    if spec.cases.is_empty() {
        eprintln!("{}", no_cases(&args.target));
        return Ok(Exit::No);
    }
    let cases: Vec<CaseFile> = match &args.case {
        Some(name) => spec.cases.iter().map(|file| only(file, name)).collect(),
        None => spec.cases.clone(),
    };
    let results = run_cases(&spec, &cases);
    if results.is_empty() {
        let all = spec.cases.iter().flat_map(|file| &file.cases);
        let names: Vec<&str> = all.map(|case| case.name.as_str()).collect();
        eprintln!("no case has that in its name. There are: {}.", names.join(", "));
        return Ok(Exit::Usage);
    }
    print(&report(&results)?)?;
    let all_passed = results.iter().all(CaseResult::is_passed);
    Ok(if all_passed { Exit::Success } else { Exit::No })
}

/// The cases of `file` with `name` in their name.
fn only(file: &CaseFile, name: &str) -> CaseFile {
    let cases = file.cases.iter().filter(|case| case.name.contains(name)).cloned().collect();
    CaseFile { cases, ..file.clone() }
}

/// What to write where there are no cases.
pub(super) fn no_cases(target: &TargetArgs) -> String {
    format!(
        "{} has no cases. A folder has them in cases/*.toml, a single file in NAME.cases.toml \
         beside it:\n\n\
         [[case]]\n\
         name = \"a message passes\"\n\
         publish = {{ topic = \"a/b\", payload = \"hello\" }}\n\
         expect = {{ verdict = \"pass\" }}",
        target.shown()
    )
}

fn report(results: &[CaseResult]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for result in results {
        writeln!(text, "{result}")?;
        if !result.is_passed() {
            for line in &result.log {
                writeln!(text, "      log: {line}")?;
            }
        }
    }
    let failed = results.iter().filter(|result| !result.is_passed()).count();
    match (results.len(), failed) {
        (1, 0) => writeln!(text, "\n1 case passed.")?,
        (all, 0) => writeln!(text, "\n{all} cases passed.")?,
        (all, failed) => writeln!(text, "\n{failed} of {all} cases failed.")?,
    }
    Ok(text)
}
