//! The results as Markdown.

use std::fmt::Write;

use crate::figures::{median, spread};
use crate::scenario::{Outcome, Scenario};

/// The outcomes of one scenario: by contender, then by round.
pub(crate) struct Row<'a> {
    pub(crate) scenario: &'a Scenario,
    /// `None` for one that does not take part.
    pub(crate) outcomes: Vec<Option<Vec<Outcome>>>,
}

/// What is told before the table.
pub(crate) struct Heading {
    pub(crate) date: String,
    pub(crate) facts: Vec<String>,
}

/// The whole page; `names` are the contenders, Pintle first.
pub(crate) fn page(heading: &Heading, names: &[String], rows: &[Row<'_>]) -> String {
    let mut page = format!("# Brokers compared, {}\n\n", heading.date);
    for fact in &heading.facts {
        let _ = writeln!(page, "- {fact}");
    }
    page.push_str(EXPLANATION);
    page.push_str("\n| scenario | figure |");
    for name in names {
        let _ = write!(page, " {name} |");
    }
    for name in names.iter().skip(1) {
        let _ = write!(page, " better than {name} |");
    }
    page.push_str(" aim |\n|---|---|");
    page.push_str(&"---|".repeat(2 * names.len()));
    page.push('\n');
    for row in rows {
        row.write(&mut page);
    }
    write_failures(&mut page, names, rows);
    page
}

const EXPLANATION: &str = "
Each figure is the median of the rounds; ± is half the distance from the smallest to the largest.
Contenders took turns within a round, each as a new process for every run. \"Better\" is the ratio of
the medians: above 1 Pintle is better, in time and memory too; the aim is such a ratio to mosquitto.
Every message of every run was checked for loss, repetition, order and damage. A `g` marks figures
that the generator limited, an `l` runs in which messages of QoS 0 were lost.
";

impl Row<'_> {
    fn write(&self, page: &mut String) {
        for (at, figure) in self.scenario.figures.iter().enumerate() {
            let values: Vec<Option<Vec<f64>>> = self
                .outcomes
                .iter()
                .map(|outcomes| outcomes.as_ref().map(|outcomes| values(outcomes, at)))
                .collect();
            let _ = write!(page, "| {} | {} |", self.scenario.name, figure.unit());
            for (values, outcomes) in values.iter().zip(&self.outcomes) {
                let _ = write!(page, " {} |", cell(values.as_deref(), outcomes.as_deref()));
            }
            let medians: Vec<Option<f64>> =
                values.iter().map(|values| median(values.as_deref()?)).collect();
            let ours = medians.first().copied().flatten();
            for theirs in medians.iter().skip(1) {
                let _ = match ours.zip(*theirs) {
                    Some((ours, theirs)) => {
                        write!(page, " {} |", significant(figure.ratio(ours, theirs)))
                    }
                    None => write!(page, " – |"),
                };
            }
            let _ = match self.scenario.aim.filter(|_| at == 0) {
                Some(aim) => writeln!(page, " {aim} |"),
                None => writeln!(page, " |"),
            };
        }
    }
}

/// One figure of every round that did not fail.
fn values(outcomes: &[Outcome], at: usize) -> Vec<f64> {
    outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Measured { figures, .. } => figures.get(at).copied(),
            Outcome::Failed(_) => None,
        })
        .collect()
}

fn cell(values: Option<&[f64]>, outcomes: Option<&[Outcome]>) -> String {
    let (Some(values), Some(outcomes)) = (values, outcomes) else {
        return "–".to_owned();
    };
    let (Some(median), Some(spread)) = (median(values), spread(values)) else {
        return "failed".to_owned();
    };
    let mut marks = String::new();
    let any = |test: fn(&Outcome) -> bool| outcomes.iter().any(test);
    if any(|o| matches!(o, Outcome::Measured { is_generator_bound: true, .. })) {
        marks.push_str(" g");
    }
    if any(|o| matches!(o, Outcome::Measured { lost: 1.., .. })) {
        marks.push_str(" l");
    }
    let failed = outcomes.len() - values.len();
    if failed > 0 {
        let _ = write!(marks, " ({failed} of {} failed)", outcomes.len());
    }
    format!("{} ±{:.0} %{marks}", grouped(median), spread * 50.0)
}

fn write_failures(page: &mut String, names: &[String], rows: &[Row<'_>]) {
    let mut text = String::new();
    for row in rows {
        for (name, outcomes) in names.iter().zip(&row.outcomes) {
            let failures = outcomes.iter().flatten().filter_map(|outcome| match outcome {
                Outcome::Failed(why) => Some(why),
                Outcome::Measured { .. } => None,
            });
            if let Some(why) = failures.into_iter().next() {
                let _ = writeln!(text, "- {}, {name}: {why}", row.scenario.name);
            }
        }
    }
    if !text.is_empty() {
        let _ = write!(page, "\nRuns that failed:\n\n{text}");
    }
}

/// A number in groups of three digits, with a decimal where it is small.
fn grouped(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn significant(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}×") } else { format!("{ratio:.1}×") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SCENARIOS;

    fn measured(value: f64) -> Outcome {
        Outcome::Measured { figures: vec![value], is_generator_bound: false, lost: 0 }
    }

    fn fan_in(outcomes: Vec<Option<Vec<Outcome>>>) -> String {
        let heading = Heading { date: "2026-01-31".to_owned(), facts: vec!["a fact".to_owned()] };
        let names = ["pintle", "mosquitto"].map(str::to_owned);
        let rows = [Row { scenario: &SCENARIOS[0], outcomes }];
        page(&heading, &names, &rows)
    }

    #[test]
    fn a_row_has_medians_spread_ratio_and_aim() {
        let ours = [4_000_000.0, 5_000_000.0, 4_500_000.0].map(measured).to_vec();
        let theirs = [100_000.0, 100_000.0, 150_000.0].map(measured).to_vec();

        let page = fan_in(vec![Some(ours), Some(theirs)]);

        let row =
            "| fan-in, QoS 0 | per CPU second | 4 500 000 ±11 % | 100 000 ±25 % | 45.0× | 40 |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("# Brokers compared, 2026-01-31\n\n- a fact\n"), "{page}");
    }

    #[test]
    fn failures_are_told_and_left_out_of_the_figures() {
        let ours = vec![measured(10.0), Outcome::Failed("it burst".to_owned())];

        let page = fan_in(vec![Some(ours), None]);

        assert!(page.contains("| 10.0 ±0 % (1 of 2 failed) | – | – | 40 |"), "{page}");
        assert!(page.contains("- fan-in, QoS 0, pintle: it burst"), "{page}");
    }

    #[test]
    fn figures_that_are_the_generators_are_marked() {
        let bound = Outcome::Measured { figures: vec![1.0], is_generator_bound: true, lost: 2 };

        let page = fan_in(vec![Some(vec![bound]), None]);

        assert!(page.contains("1.0 ±0 % g l |"), "{page}");
    }
}
