//! What arms are compared by, and a measure over seeds.

use serde::{Deserialize, Serialize};
use toolrl_eval::significance::Moments;
use toolrl_eval::{EvalReport, Outcome, Rates};

use crate::ArmRun;
use crate::cases::Cases;

/// A figure of a run: of its evaluation, or of its way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Mean reward over all held-out tasks.
    Reward,
    /// Share of replies that make the gold calls and no other.
    Exact,
    /// The same over the tasks whose gold reply makes a call: keeping silent earns nothing there.
    ExactCalls,
    /// Share of replies of the strict form.
    Format,
    /// Mean reward over tasks whose tools training shows.
    SeenReward,
    /// Share of exact replies over those.
    SeenExact,
    /// Mean reward over tasks whose tools training never shows.
    UnseenReward,
    /// Share of exact replies over those.
    UnseenExact,
    /// BFCL V3's non-live AST score, of what the study's tests asked of it.
    BfclNonLiveAst,
    /// The share of right cases of its category `irrelevance`.
    BfclIrrelevance,
    /// That of `live_simple`.
    BfclLiveSimple,
    /// That of `live_irrelevance`.
    BfclLiveIrrelevance,
    /// That of API-Bank's first level, by the released matching.
    ApiBankLevel1,
    /// Mean over the last stage's steps of the mean reward of their replies: the area under its learning curve. Higher
    /// where a run learns faster. By the reward that it is trained by, so compare only arms that have that in common.
    Learning,
}

impl Measure {
    /// Those of an evaluation, in a table's order.
    pub const TABLE: [Self; 13] = [
        Self::Reward,
        Self::Exact,
        Self::ExactCalls,
        Self::Format,
        Self::SeenReward,
        Self::SeenExact,
        Self::UnseenReward,
        Self::UnseenExact,
        Self::BfclNonLiveAst,
        Self::BfclIrrelevance,
        Self::BfclLiveSimple,
        Self::BfclLiveIrrelevance,
        Self::ApiBankLevel1,
    ];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.into_iter().chain([Self::Learning])
    }

    /// Its name in a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Reward => "reward",
            Self::Exact => "exact calls",
            Self::ExactCalls => "exact, tasks with calls",
            Self::Format => "format",
            Self::SeenReward => "reward, seen tools",
            Self::SeenExact => "exact, seen tools",
            Self::UnseenReward => "reward, unseen tools",
            Self::UnseenExact => "exact, unseen tools",
            Self::BfclNonLiveAst => "BFCL non-live AST",
            Self::BfclIrrelevance => "BFCL irrelevance",
            Self::BfclLiveSimple => "BFCL live simple",
            Self::BfclLiveIrrelevance => "BFCL live irrelevance",
            Self::ApiBankLevel1 => "API-Bank level 1",
            Self::Learning => "training reward, mean over the steps",
        }
    }

    /// Its value; none where the evaluation has no such tasks, or the run sampled nothing.
    pub fn of(self, run: &ArmRun) -> Option<f64> {
        let part: Option<&Rates> = match self {
            Self::Reward | Self::Exact | Self::Format => Some(&run.after.overall),
            Self::SeenReward | Self::SeenExact => run.after.seen_tools.as_ref(),
            Self::UnseenReward | Self::UnseenExact => run.after.unseen_tools.as_ref(),
            Self::ExactCalls => return exact_with_calls(&run.after),
            Self::Learning => return run.learning,
            _ => return Some(Cases::figure(&self.cases(run)?)),
        };
        part.map(|rates| match self {
            Self::Exact | Self::SeenExact | Self::UnseenExact => rates.exact_call_rate,
            Self::Format => rates.format_rate,
            _ => rates.mean_reward,
        })
    }

    /// Its value on one task; none where it leaves the task out, or is of no single task.
    pub fn of_task(self, outcome: &Outcome) -> Option<f64> {
        let reply = &outcome.greedy;
        let is_counted = match self {
            Self::SeenReward | Self::SeenExact => !outcome.unseen_tools,
            Self::UnseenReward | Self::UnseenExact => outcome.unseen_tools,
            Self::ExactCalls => !IN_WORDS.contains(&outcome.kind.as_str()),
            Self::Reward | Self::Exact | Self::Format => true,
            _ => false,
        };
        let value = match self {
            Self::Format => Some(f64::from(reply.well_formed)),
            _ if self.is_share() => Some(f64::from(reply.exact)),
            _ => reply.score.as_ref().map(|score| score.total),
        };
        value.filter(|_| is_counted)
    }

    /// Whether it is a share, which reads best in percent.
    pub fn is_share(self) -> bool {
        let is_reward = matches!(self, Self::Reward | Self::SeenReward | Self::UnseenReward);
        !is_reward && self != Self::Learning
    }
}

/// The kinds of the tasks whose gold reply makes no call.
const IN_WORDS: [&str; 2] = ["no_call", "ask_back"];

/// The share of exact replies over the kinds of task with calls.
fn exact_with_calls(report: &EvalReport) -> Option<f64> {
    let with_calls = report.by_kind.iter().filter(|(kind, _)| !IN_WORDS.contains(&kind.as_str()));
    let (exact, tasks) = with_calls.fold((0.0, 0), |(exact, tasks), (_, rates)| {
        (exact + rates.exact_call_rate * rates.tasks as f64, tasks + rates.tasks)
    });
    (tasks > 0).then(|| exact / tasks as f64)
}

/// A measure over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistic {
    /// One per seed.
    pub values: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with `n - 1`; 0 for one seed.
    pub std: f64,
}

impl Statistic {
    /// Of these values; none of no values.
    pub fn of(values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        // The mean of equal values can differ from them by a rounding, which is no spread.
        let are_equal = values.iter().all(|value| *value == values[0]);
        let std = if are_equal { 0.0 } else { (squares / (n - 1.0)).sqrt() };
        Some(Self { values, mean, std })
    }

    /// Mean and deviation, for instance `1.62 ± 0.05`, or `32.8 ± 1.1 %` of a share.
    pub fn text(&self, measure: Measure) -> String {
        let several = self.values.len() > 1;
        match (measure.is_share(), several) {
            (true, true) => format!("{:.1} ± {:.1} %", 100.0 * self.mean, 100.0 * self.std),
            (true, false) => format!("{:.1} %", 100.0 * self.mean),
            (false, true) => format!("{:.3} ± {:.3}", self.mean, self.std),
            (false, false) => format!("{:.3}", self.mean),
        }
    }

    /// What a test over seeds takes of it.
    pub fn moments(&self) -> Moments {
        Moments { n: self.values.len(), mean: self.mean, std: self.std }
    }
}

#[cfg(test)]
mod tests {
    use toolrl_eval::EvalReport;

    use super::*;

    #[test]
    fn deviations_are_of_a_sample() {
        let s = Statistic::of(vec![1.0, 2.0, 4.0]).unwrap();
        assert!((s.mean - 7.0 / 3.0).abs() < 1e-12);
        assert!((s.std - (7.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(s.moments(), Moments { n: 3, mean: s.mean, std: s.std });
        assert_eq!(Statistic::of(vec![0.25]).unwrap().text(Measure::Exact), "25.0 %");
        assert_eq!(s.text(Measure::Reward), "2.333 ± 1.528");
        assert_eq!(Statistic::of(vec![]), None);
        // Their sum in f64 is 0.30000000000000004.
        assert_eq!(Statistic::of(vec![0.1; 3]).unwrap().std, 0.0);
    }

    #[test]
    fn every_measure_reads_its_own_figure() {
        let rates = |r: f64| Rates {
            mean_reward: r,
            exact_call_rate: r / 10.0,
            format_rate: r / 5.0,
            ..Rates::default()
        };
        let of_kinds = [("no_call", 9.0, 2), ("ask_back", 9.0, 2), ("one_call", 5.0, 3), ("history", 5.0, 1)];
        let of_kind = |(kind, r, tasks): (&str, f64, usize)| (kind.to_owned(), Rates { tasks, ..rates(r) });
        let after = EvalReport {
            by_kind: of_kinds.map(of_kind).into(),
            overall: rates(1.0),
            seen_tools: Some(rates(2.0)),
            unseen_tools: Some(rates(3.0)),
            ..EvalReport::default()
        };
        let run = ArmRun { after, learning: Some(0.4), ..ArmRun::default() };
        let values: Vec<f64> = Measure::all().filter_map(|m| m.of(&run)).collect();
        assert_eq!(values, [1.0, 0.1, 0.5, 0.2, 2.0, 0.2, 3.0, 0.3, 0.4], "no benchmark was asked");
        let empty = ArmRun { after: EvalReport::default(), learning: None, ..run };
        assert_eq!(Measure::UnseenExact.of(&empty), None);
        assert_eq!(Measure::Learning.of(&empty), None);
        assert_eq!(Measure::ExactCalls.of(&empty), None);
    }

    #[test]
    fn every_measure_reads_its_own_tasks() {
        let of = |kind: &str, unseen: bool| -> Outcome {
            let text = format!(
                r#"{{"id": "a", "kind": "{kind}", "unseen_tools": {unseen}, "gold": "g", "reply": "", "error": null,
                    "score": {{"total": 2.5, "components": {{}}}}, "well_formed": false, "exact": true,
                    "overlong": false, "tokens": 0, "finish": "length"}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let values = |outcome: &Outcome| Measure::all().map(|m| m.of_task(outcome)).collect::<Vec<_>>();
        let (some, one) = (Some(2.5), Some(1.0));
        let of_benchmarks = [None; 6];
        let expected = [some, one, one, Some(0.0), some, one, None, None];
        assert_eq!(values(&of("one_call", false)), [&expected[..], &of_benchmarks].concat());
        let expected = [some, one, None, Some(0.0), None, None, some, one];
        for kind in IN_WORDS {
            assert_eq!(values(&of(kind, true)), [&expected[..], &of_benchmarks].concat());
        }
    }
}
