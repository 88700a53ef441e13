use std::time::{Duration, Instant};

use super::case_file::{Case, CaseFile};
use super::run::{Player, TRIES_MAX, beside};
use crate::hook::Hook;
use crate::spec::PluginSpec;

/// How long a hook takes, over the cases that ask it.
#[derive(Clone, Debug, PartialEq)]
pub struct HookBench {
    /// The hook.
    pub hook: Hook,
    /// How many cases ask it.
    pub cases: usize,
    /// Calls that were timed.
    pub calls: u64,
    /// Nanoseconds of a call in the batch in the middle.
    pub median_ns: f64,
    /// In the fastest batch.
    pub least_ns: f64,
    /// In the slowest batch.
    pub most_ns: f64,
}

const BATCHES: usize = 15;
const WARM_UP: Duration = Duration::from_millis(50);
const BATCH: Duration = Duration::from_millis(10);

/// Times every hook that the cases ask. A case that fails is left out.
pub fn bench_cases(spec: &PluginSpec, cases: &[CaseFile]) -> Vec<HookBench> {
    beside(|| {
        let all = || cases.iter().flat_map(|file| file.cases.iter().map(move |case| (file, case)));
        let of = |hook: Hook| all().filter(move |(_, case)| case.step.hook() == Some(hook));
        let benches =
            Hook::ALL.into_iter().map(|hook| bench(spec, hook, &of(hook).collect::<Vec<_>>()));
        benches.flatten().collect()
    })
}

fn bench(spec: &PluginSpec, hook: Hook, cases: &[(&CaseFile, &Case)]) -> Option<HookBench> {
    let players: Vec<(&Case, Player<'_>)> =
        cases.iter().filter_map(|(file, case)| Some((*case, ready(spec, file, case)?))).collect();
    if players.is_empty() {
        return None;
    }
    let rounds = rounds_of(&players);
    let calls_a_batch = rounds * players.len() as u64;
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let took = batch(&players, rounds);
            players.iter().for_each(|(_, player)| player.host.forget());
            took.as_secs_f64() * 1e9 / calls_a_batch as f64
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    Some(HookBench {
        hook,
        cases: players.len(),
        calls: calls_a_batch * BATCHES as u64,
        median_ns: *batches.get(BATCHES / 2)?,
        least_ns: *batches.first()?,
        most_ns: *batches.last()?,
    })
}

/// The plugin of a case that does not fail.
fn ready<'a>(spec: &PluginSpec, file: &CaseFile, case: &'a Case) -> Option<Player<'a>> {
    // It may be late, as a case may.
    (0..TRIES_MAX).find_map(|_| {
        let player = Player::new(spec, file, case, None).ok()?;
        let is_fine = player.before(case) && player.ask(&case.step).is_ok();
        is_fine.then_some(player)
    })
}

/// Warms up, and finds how often the cases are asked in a batch.
fn rounds_of(players: &[(&Case, Player<'_>)]) -> u64 {
    let began = Instant::now();
    let mut rounds = 0_u64;
    while began.elapsed() < WARM_UP {
        batch(players, 1);
        rounds += 1;
    }
    players.iter().for_each(|(_, player)| player.host.forget());
    let round = WARM_UP.as_secs_f64() / rounds.max(1) as f64;
    ((BATCH.as_secs_f64() / round) as u64).max(1)
}

fn batch(players: &[(&Case, Player<'_>)], rounds: u64) -> Duration {
    let began = Instant::now();
    for _ in 0..rounds {
        for (case, player) in players {
            let _ = std::hint::black_box(player.ask(&case.step));
        }
    }
    began.elapsed()
}
