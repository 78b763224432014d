//! What settings of evaluations are refused, each by its key.

use super::{EarlyStop, EvalConfig, EvalMeasure, EvalSet};
use crate::TrainError;

/// Names that rows of `evaluations.jsonl` have of benchmarks, with a number behind them where there are several.
const BENCHMARKS: [&str; 3] = ["bfcl", "api-bank", "bamboogle"];

impl EvalConfig {
    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let faults =
            [self.of_replies(), self.of_sets(), self.stop.and_then(EarlyStop::fault), self.of_best()];
        match faults.into_iter().flatten().next() {
            Some(fault) => Err(TrainError::Recipe(format!("eval.{fault}"))),
            None => Ok(()),
        }
    }

    /// How replies are made.
    fn of_replies(&self) -> Option<String> {
        let Self { temperature, top_p, .. } = *self;
        if self.max_new_tokens == 0 {
            return Some("max_new_tokens should be at least 1".to_owned());
        }
        if self.benchmarks.iter().any(|benchmark| benchmark.max_new_tokens() == 0) {
            return Some("benchmarks: max_new_tokens should be at least 1".to_owned());
        }
        if !(temperature > 0.0 && temperature.is_finite()) {
            let why = "the greedy reply is there beside the sampled ones";
            return Some(format!("temperature = {temperature} should be above 0: {why}"));
        }
        let fits = top_p > 0.0 && top_p <= 1.0;
        (!fits).then(|| format!("top_p = {top_p} should be above 0 and at most 1"))
    }

    fn of_sets(&self) -> Option<String> {
        let fault = |(place, set): (usize, &EvalSet)| {
            Some(format!("sets[{place}].{}", set.fault(&self.sets[..place])?))
        };
        self.sets.iter().enumerate().find_map(fault)
    }

    /// By what the best policy is known, and what follows from it.
    fn of_best(&self) -> Option<String> {
        let by = self.best.by.as_str();
        let known: Vec<&str> =
            std::iter::once(Self::HELD_OUT).chain(self.sets.iter().map(|set| set.name.as_str())).collect();
        if !known.contains(&by) {
            return Some(format!("best.by = {by:?} is no evaluation set: expected {}", known.join(", ")));
        }
        if matches!(self.best.measure, EvalMeasure::Avg | EvalMeasure::Pass) && self.samples == 0 {
            return Some("best.measure is of sampled replies: set eval.samples".to_owned());
        }
        if !self.saves_the_best() {
            return None;
        }
        if self.every == 0 {
            let what = if self.stop.is_some() { "stop" } else { "final = \"best\"" };
            return Some(format!("{what} needs evaluations in the course of the run: set eval.every"));
        }
        (by == Self::HELD_OUT && self.limit == Some(0))
            .then(|| "best.by = \"held-out\" is not evaluated on: eval.limit = 0".to_owned())
    }
}

impl EarlyStop {
    fn fault(self) -> Option<String> {
        if self.patience == 0 {
            return Some("stop.patience should be at least 1".to_owned());
        }
        let fits = self.min_delta >= 0.0 && self.min_delta.is_finite();
        (!fits).then(|| format!("stop.min_delta = {} should be 0 or more", self.min_delta))
    }
}

impl EvalSet {
    /// What is wrong with it, with its key.
    fn fault(&self, before: &[Self]) -> Option<String> {
        let name = self.name.as_str();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_number = |rest: &str| rest.chars().all(|c| c == '-' || c.is_ascii_digit());
        let of_benchmark =
            BENCHMARKS.iter().any(|benchmark| name.strip_prefix(benchmark).is_some_and(is_number));
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
            return Some(format!(
                "name = {name:?} should be letters, digits, -, _ and ., the first no point"
            ));
        }
        if name == EvalConfig::HELD_OUT || of_benchmark || before.iter().any(|set| set.name == name) {
            return Some(format!("name = {name:?} is another evaluation's"));
        }
        (self.limit == Some(0)).then(|| "limit should be at least 1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::Recipe;

    /// The recipes of the page work as they stand there.
    #[test]
    fn the_pages_settings_are_settings() {
        let page = include_str!("../../../../../docs/evaluation.md");
        let blocks: Vec<&str> =
            page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(blocks.len(), 2);
        let sets =
            Recipe::parse(&format!("name = \"a\"\n[train]\nmethod = \"grpo\"\n{}", blocks[0]), &[]).unwrap();
        assert_eq!((sets.eval.samples, sets.eval.sets.len()), (8, 2));
        let mine = ["eval.sets=[{ name = 'mine', data = 'mine.jsonl' }]".to_owned()];
        let stops =
            Recipe::parse(&format!("name = \"a\"\n[train]\nmethod = \"ppo\"\n{}", blocks[1]), &mine).unwrap();
        assert!(stops.eval.leaves_the_best() && stops.eval.best_score() == "exact-call rate");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_key() {
        let parse = |set: &[&str]| {
            let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
            Recipe::parse("name = \"a\"\n[train]\nmethod = \"grpo\"\n", &set)
        };
        let cases: [(&[&str], &str); 14] = [
            (&["eval.max_new_tokens=0"], "eval.max_new_tokens should be"),
            (&["eval.temperature=0"], "eval.temperature = 0"),
            (&["eval.top_p=1.5"], "eval.top_p = 1.5"),
            (&["eval.samples=-1"], "-1"),
            (&["eval.stop={ patience = 3 }"], "eval.stop needs"),
            (&["eval.final=best"], "eval.final = \"best\" needs"),
            (&["eval.every=1", "eval.stop={ patience = 0 }"], "eval.stop.patience"),
            (&["eval.every=1", "eval.stop={ patience = 1, min_delta = -1.0 }"], "eval.stop.min_delta = -1"),
            (&["eval.every=1", "eval.stop={ patience = 1, delta = 1.0 }"], "delta"),
            (&["eval.every=1", "eval.stop.patience=1", "eval.limit=0"], "eval.limit = 0"),
            (&["eval.best.by=mine"], "eval.best.by = \"mine\" is no evaluation set: expected held-out"),
            (&["eval.best.measure=pass"], "set eval.samples"),
            (
                &["eval.sets=[{ name = 'a', data = 'x' }, { name = 'a', data = 'y' }]"],
                "eval.sets[1].name = \"a\"",
            ),
            (&["eval.sets=[{ name = 'bfcl-2', data = 'x' }]"], "eval.sets[0].name = \"bfcl-2\""),
        ];
        for (set, expected) in cases {
            let message = parse(set).unwrap_err().to_string();
            assert!(message.contains(expected), "{set:?}: {message}");
        }
        let best = |set: &[&str]| parse(set).unwrap().eval.leaves_the_best();
        assert!(!best(&[]) && best(&["eval.every=1", "eval.stop.patience=2"]));
        assert!(!best(&["eval.every=1", "eval.stop.patience=2", "eval.final=last"]));
    }
}
