//! What arms are compared by, and a measure over seeds.

use serde::{Deserialize, Serialize};
use toolrl_eval::Rates;

use crate::ArmRun;

/// A figure of a run: of its evaluation, or of its way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Mean reward over all held-out tasks.
    Reward,
    /// Share of replies that make the gold calls and no other.
    Exact,
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
    /// Mean over the last stage's steps of the mean reward of their replies: the area under its learning curve. Higher
    /// where a run learns faster. By the reward that it is trained by, so compare only arms that have that in common.
    Learning,
}

impl Measure {
    /// Those of an evaluation, in a table's order.
    pub const TABLE: [Self; 7] = [
        Self::Reward,
        Self::Exact,
        Self::Format,
        Self::SeenReward,
        Self::SeenExact,
        Self::UnseenReward,
        Self::UnseenExact,
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
            Self::Format => "format",
            Self::SeenReward => "reward, seen tools",
            Self::SeenExact => "exact, seen tools",
            Self::UnseenReward => "reward, unseen tools",
            Self::UnseenExact => "exact, unseen tools",
            Self::Learning => "training reward, mean over the steps",
        }
    }

    /// Its value; none where the evaluation has no such tasks, or the run sampled nothing.
    pub fn of(self, run: &ArmRun) -> Option<f64> {
        let part: Option<&Rates> = match self {
            Self::Reward | Self::Exact | Self::Format => Some(&run.after.overall),
            Self::SeenReward | Self::SeenExact => run.after.seen_tools.as_ref(),
            Self::UnseenReward | Self::UnseenExact => run.after.unseen_tools.as_ref(),
            Self::Learning => return run.learning,
        };
        part.map(|rates| match self {
            Self::Exact | Self::SeenExact | Self::UnseenExact => rates.exact_call_rate,
            Self::Format => rates.format_rate,
            _ => rates.mean_reward,
        })
    }

    /// Whether it is a share, which reads best in percent.
    pub fn is_share(self) -> bool {
        matches!(self, Self::Exact | Self::Format | Self::SeenExact | Self::UnseenExact)
    }
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
        let std = if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 };
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

    /// Least and greatest.
    pub fn range(&self) -> (f64, f64) {
        let fold = |f: fn(f64, f64) -> f64| self.values.iter().copied().fold(self.mean, f);
        (fold(f64::min), fold(f64::max))
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
        assert_eq!(s.range(), (1.0, 4.0));
        assert_eq!(Statistic::of(vec![0.25]).unwrap().text(Measure::Exact), "25.0 %");
        assert_eq!(s.text(Measure::Reward), "2.333 ± 1.528");
        assert_eq!(Statistic::of(vec![]), None);
    }

    #[test]
    fn every_measure_reads_its_own_figure() {
        let rates = |r: f64| Rates {
            mean_reward: r,
            exact_call_rate: r / 10.0,
            format_rate: r / 5.0,
            ..Rates::default()
        };
        let after = EvalReport {
            overall: rates(1.0),
            seen_tools: Some(rates(2.0)),
            unseen_tools: Some(rates(3.0)),
            ..EvalReport::default()
        };
        let run = ArmRun { seed: 1, dir: None, seconds: 0.0, after, learning: Some(0.4) };
        let values: Vec<f64> = Measure::all().map(|m| m.of(&run).unwrap()).collect();
        assert_eq!(values, [1.0, 0.1, 0.2, 2.0, 0.2, 3.0, 0.3, 0.4]);
        let empty = ArmRun { after: EvalReport::default(), learning: None, ..run };
        assert_eq!(Measure::UnseenExact.of(&empty), None);
        assert_eq!(Measure::Learning.of(&empty), None);
    }
}
