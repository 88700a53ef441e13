use std::fmt;

use crate::baseline::Counts;

/// By what part of the baseline a count may rise.
const TOLERANCE: f64 = 0.1;

/// How a case stands against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Within the tolerance.
    Kept,
    /// It takes more instructions than it may.
    Worse,
    /// It takes so many fewer that the baseline would let them come back unseen.
    Better,
    /// The baseline does not have it.
    New,
    /// Only the baseline has it.
    Gone,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    name: String,
    baseline: Option<f64>,
    now: Option<f64>,
    judgement: Judgement,
}

/// All cases beside the baseline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    lines: Vec<Line>,
}

impl Comparison {
    /// Of `now` with `baseline`.
    pub(crate) fn new(baseline: &Counts, now: &Counts) -> Self {
        let counted = now.iter().map(|(name, &count)| {
            let before = baseline.get(name).copied();
            Line {
                name: name.clone(),
                baseline: before,
                now: Some(count),
                judgement: judge(before, count),
            }
        });
        let gone = baseline.iter().filter(|(name, _)| !now.contains_key(*name));
        let gone = gone.map(|(name, &count)| Line {
            name: name.clone(),
            baseline: Some(count),
            now: None,
            judgement: Judgement::Gone,
        });
        Self { lines: counted.chain(gone).collect() }
    }

    /// Whether a change with these counts may land.
    pub(crate) fn passes(&self) -> bool {
        self.lines.iter().all(|line| match line.judgement {
            Judgement::Kept | Judgement::Better => true,
            Judgement::Worse | Judgement::New | Judgement::Gone => false,
        })
    }

    /// Whether the baseline should be made again to hold what is counted now.
    pub(crate) fn is_outdated(&self) -> bool {
        self.lines.iter().any(|line| match line.judgement {
            Judgement::Better | Judgement::New | Judgement::Gone => true,
            Judgement::Kept | Judgement::Worse => false,
        })
    }
}

fn judge(before: Option<f64>, now: f64) -> Judgement {
    match before {
        None => Judgement::New,
        Some(before) if now > before * (1.0 + TOLERANCE) => Judgement::Worse,
        Some(before) if now < before * (1.0 - TOLERANCE) => Judgement::Better,
        Some(_) => Judgement::Kept,
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
        writeln!(f, "{:width$}  {:>11}  {:>11}  ratio", "case", "baseline", "now")?;
        for Line { name, baseline, now, judgement } in &self.lines {
            let ratio = baseline.zip(*now).map(|(before, now)| now / before);
            let [before, now] = [baseline, now].map(|count| figure(*count, 1));
            let (ratio, remark) = (figure(ratio, 2), remark(*judgement));
            writeln!(f, "{name:width$}  {before:>11}  {now:>11}  {ratio:>5}{remark}")?;
        }
        Ok(())
    }
}

fn figure(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.decimals$}"))
}

fn remark(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Kept => "",
        Judgement::Worse => "  WORSE",
        Judgement::Better => "  better",
        Judgement::New => "  NOT IN THE BASELINE",
        Judgement::Gone => "  ONLY IN THE BASELINE",
    }
}

#[cfg(test)]
mod tests {
    use super::Comparison;
    use crate::baseline::Counts;

    fn counts(counts: &[(&str, f64)]) -> Counts {
        counts.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
    }

    /// Whether these counts pass, whether they make the baseline old, and the last line's remark.
    #[track_caller]
    fn check(baseline: &[(&str, f64)], now: &[(&str, f64)], expected: (bool, bool, &str)) {
        let comparison = Comparison::new(&counts(baseline), &counts(now));
        let text = comparison.to_string();
        let last = text.lines().last().unwrap();
        assert_eq!((comparison.passes(), comparison.is_outdated()), (expected.0, expected.1));
        assert!(last.ends_with(expected.2), "{last}");
    }

    #[test]
    fn a_tenth_more_or_less_is_let_pass() {
        check(&[("a", 100.0)], &[("a", 110.0)], (true, false, "1.10"));
        check(&[("a", 100.0)], &[("a", 90.0)], (true, false, "0.90"));
    }

    #[test]
    fn more_than_a_tenth_more_does_not_pass() {
        check(&[("a", 100.0)], &[("a", 110.1)], (false, false, "WORSE"));
    }

    #[test]
    fn one_that_is_worse_fails_all() {
        let baseline = [("a", 100.0), ("b", 100.0)];
        check(&baseline, &[("a", 111.0), ("b", 50.0)], (false, true, "better"));
    }

    #[test]
    fn more_than_a_tenth_less_passes_and_makes_the_baseline_old() {
        check(&[("a", 100.0)], &[("a", 89.9)], (true, true, "better"));
    }

    #[test]
    fn a_case_without_a_baseline_does_not_pass() {
        check(&[], &[("a", 1.0)], (false, true, "NOT IN THE BASELINE"));
    }

    #[test]
    fn a_baseline_without_its_case_does_not_pass() {
        check(&[("a", 1.0)], &[], (false, true, "ONLY IN THE BASELINE"));
    }

    #[test]
    fn the_table_has_case_baseline_now_and_ratio() {
        let table = Comparison::new(&counts(&[("route", 50.0)]), &counts(&[("route", 52.5)]));
        let text = table.to_string();
        let words: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["case", "baseline", "now", "ratio"]);
        assert_eq!(words[1], ["route", "50.0", "52.5", "1.05"]);
    }
}
