//! What arms are compared by, and a measure over seeds.

use serde::{Deserialize, Serialize};
use toolrl_eval::{EvalReport, Rates};

/// A figure of an evaluation.
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
}

impl Measure {
    /// All of them, in a table's order.
    pub const ALL: [Self; 7] = [
        Self::Reward,
        Self::Exact,
        Self::Format,
        Self::SeenReward,
        Self::SeenExact,
        Self::UnseenReward,
        Self::UnseenExact,
    ];

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
        }
    }

    /// Its value; none where the evaluation has no such tasks.
    pub fn of(self, report: &EvalReport) -> Option<f64> {
        let part: Option<&Rates> = match self {
            Self::Reward | Self::Exact | Self::Format => Some(&report.overall),
            Self::SeenReward | Self::SeenExact => report.seen_tools.as_ref(),
            Self::UnseenReward | Self::UnseenExact => report.unseen_tools.as_ref(),
        };
        part.map(|rates| match self {
            Self::Reward | Self::SeenReward | Self::UnseenReward => rates.mean_reward,
            Self::Exact | Self::SeenExact | Self::UnseenExact => rates.exact_call_rate,
            Self::Format => rates.format_rate,
        })
    }

    /// Whether it is a share, which reads best in percent.
    pub fn is_share(self) -> bool {
        !matches!(self, Self::Reward | Self::SeenReward | Self::UnseenReward)
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
        let report = EvalReport {
            overall: rates(1.0),
            seen_tools: Some(rates(2.0)),
            unseen_tools: Some(rates(3.0)),
            ..EvalReport::default()
        };
        let values = Measure::ALL.map(|m| m.of(&report).unwrap());
        assert_eq!(values, [1.0, 0.1, 0.2, 2.0, 0.2, 3.0, 0.3]);
        assert_eq!(Measure::UnseenExact.of(&EvalReport::default()), None);
    }
}
