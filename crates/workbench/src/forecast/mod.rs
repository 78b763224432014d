//! What a reward will teach, from replies that were sampled: which groups have a spread, which term drives
//! the advantage, which normalisation fits.
//!
//! Notation: `r_gi` is the total of member `i` of group `g`, `x_kgi` the weighted value of term `k`, so that
//! `r = sum_k x_k`; `d` is a deviation from the mean of the group. The share of term `k` in the advantage's
//! variance is `cov(a_k, A) / var(A)` over all members of all groups, `a_k` being the part of the advantage
//! that comes from the term: `sum a_k A / sum A^2`, as both have mean 0 in each group. The shares add up to
//! 1; a term that works against the others has a negative one.

mod advice;
mod share;
mod text;

use serde::Serialize;
use toolrl_grpo::{AdvantageKind, TermReward, has_no_spread};
use toolrl_reward::{Breakdown, Outcome, RewardError};

use crate::row::groups;
use crate::{GroupKey, Row, Scored, WorkbenchError};

pub use advice::{Advice, Reason};
pub use share::{Correlation, Saturated, TermForecast};

/// Collects the scores of sampled replies.
#[derive(Debug, Default)]
pub struct Forecast {
    ids: Vec<String>,
    rows: Vec<Reply>,
    unscorable: usize,
    skipped: usize,
}

/// A reply's reward.
#[derive(Debug)]
pub(crate) struct Reply {
    key: (GroupKey, Option<String>),
    pub total: f64,
    /// By the forecast's ids; a term that the reply's own rubric lacks has weight and value 0.
    pub terms: Vec<TermReward>,
    /// The least and the greatest value of each.
    pub ranges: Vec<(f64, f64)>,
    pub range: (f64, f64),
    pub failed: Vec<usize>,
    /// What parts of the correctness earned, in reward.
    pub parts: Option<share::Parts>,
}

/// What a reward will teach.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForecastReport {
    /// Replies with a score.
    pub rows: usize,
    /// Replies without one: the reference or the template cannot be read, or a term's failure stops the work.
    pub unscorable: usize,
    /// Replies that a failed term leaves out of training.
    pub skipped: usize,
    /// Groups.
    pub groups: usize,
    /// Replies of a group.
    pub group_size: GroupSize,
    /// Groups of one, which have no advantage whatever the reward.
    pub groups_of_one: usize,
    /// Groups whose rewards are all equal: they teach nothing.
    pub zero_variance: ZeroVariance,
    /// The totals.
    pub reward: Totals,
    /// Each term.
    pub terms: Vec<TermForecast>,
    /// Pairs of terms, by their deviations within groups.
    pub correlations: Vec<Correlation>,
    /// What each advantage makes of the groups.
    pub advantages: Vec<AdvantageForecast>,
    /// Pairs of replies of one group with one total and different terms, out of all pairs with one total.
    pub mixed_ties: f64,
    /// Which normalisation would help, most wanted first.
    pub advice: Vec<Advice>,
}

/// Replies of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct GroupSize {
    /// Of the smallest.
    pub min: usize,
    /// On average.
    pub mean: f64,
    /// Of the greatest.
    pub max: usize,
}

/// Groups without spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ZeroVariance {
    /// How many.
    pub groups: usize,
    /// Of all groups, 0 to 1.
    pub share: f64,
    /// Those in which every reply has the greatest reward that the task can give.
    pub all_best: usize,
    /// Those in which every reply has the least.
    pub all_worst: usize,
}

/// The totals over all replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Mean.
    pub mean: f64,
    /// Standard deviation, with n - 1.
    pub std: f64,
    /// Mean over groups of two or more of the standard deviation within the group, with n - 1.
    pub within_group_std: f64,
    /// The share of the totals' variance that is within groups: the rest, between prompts, teaches nothing to
    /// an advantage that is taken within groups.
    pub within_group_share: f64,
}

/// What one advantage makes of the groups.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AdvantageForecast {
    /// Which.
    pub kind: AdvantageKind,
    /// Groups of a batch with an advantage other than 0, on average.
    pub useful_groups: f64,
    /// Groups of a batch that the gradient effectively listens to: `(sum q)^2 / sum q^2` with `q` a group's sum
    /// of squared advantages, scaled to a batch. It is that of the useful groups where all weigh the same.
    pub effective_groups: f64,
}

/// Added to standard deviations, as in training.
const EPSILON: f64 = 1e-6;

impl Forecast {
    /// A forecast without a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a row's score.
    pub fn add(&mut self, row: &Row, scored: &Result<Scored, RewardError>) {
        let Ok(scored) = scored else {
            self.unscorable += 1;
            return;
        };
        if scored.score.skipped {
            self.skipped += 1;
            return;
        }
        let none = TermReward { weight: 0.0, value: 0.0 };
        let mut terms = vec![none; self.ids.len()];
        let mut ranges = vec![(0.0, 0.0); self.ids.len()];
        let mut failed = Vec::new();
        for term in &scored.score.terms {
            let place = self.ids.iter().position(|id| *id == term.id).unwrap_or_else(|| {
                self.ids.push(term.id.clone());
                terms.push(none);
                ranges.push((0.0, 0.0));
                self.ids.len() - 1
            });
            terms[place] = TermReward { weight: term.weight, value: term.score.value };
            ranges[place] = term.range;
            failed.extend(term.failure.is_some().then_some(place));
        }
        self.rows.push(Reply {
            key: (row.key.clone(), row.id.clone()),
            total: scored.score.total,
            terms,
            ranges,
            range: attainable(scored),
            failed,
            parts: share::Parts::of(scored),
        });
    }

    /// What was found, for training with `batch` prompts a step.
    ///
    /// # Errors
    /// [`WorkbenchError::Nothing`] without a reply that has a score.
    pub fn finish(mut self, batch: usize) -> Result<ForecastReport, WorkbenchError> {
        if self.rows.is_empty() {
            return Err(WorkbenchError::Nothing { what: "no reply could be scored".to_owned() });
        }
        for row in &mut self.rows {
            row.terms.resize(self.ids.len(), TermReward::default());
            row.ranges.resize(self.ids.len(), (0.0, 0.0));
        }
        let keys: Vec<_> = self.rows.iter().map(|row| row.key.clone()).collect();
        let members: Vec<Vec<&Reply>> = groups(&keys)
            .into_iter()
            .map(|group| group.into_iter().map(|i| &self.rows[i]).collect())
            .collect();
        let sizes = || members.iter().map(Vec::len);
        let group_size = GroupSize {
            min: sizes().min().unwrap_or(0),
            mean: self.rows.len() as f64 / members.len() as f64,
            max: sizes().max().unwrap_or(0),
        };
        let groups_of_one = sizes().filter(|&size| size == 1).count();
        let terms = share::terms(&self.ids, &members);
        let mut report = ForecastReport {
            rows: self.rows.len(),
            unscorable: self.unscorable,
            skipped: self.skipped,
            groups: members.len(),
            group_size,
            groups_of_one,
            zero_variance: zero_variance(&members),
            reward: totals(&self.rows, &members),
            correlations: share::correlations(&self.ids, &members),
            advantages: advantages(&members, batch),
            mixed_ties: mixed_ties(&members),
            terms,
            advice: Vec::new(),
        };
        report.advice = advice::advice(&report, &stds(&members));
        Ok(report)
    }
}

/// The least and the greatest total that the row's task can give: correctness is always 0 where the reference
/// makes no call.
fn attainable(scored: &Scored) -> (f64, f64) {
    let counts = |term: &&toolrl_reward::ScoredTerm| {
        let no_calls = matches!(term.score.breakdown, Breakdown::Correctness(Outcome::NoCallsWanted));
        term.weight != 0.0 && !no_calls
    };
    let ends = scored.score.terms.iter().filter(counts).map(|term| {
        let (a, b) = (term.weight * term.range.0, term.weight * term.range.1);
        (a.min(b), a.max(b))
    });
    ends.fold((0.0, 0.0), |(least, greatest), (a, b)| (least + a, greatest + b))
}

fn totals_of(group: &[&Reply]) -> Vec<f64> {
    group.iter().map(|reply| reply.total).collect()
}

fn zero_variance(groups: &[Vec<&Reply>]) -> ZeroVariance {
    let flat: Vec<_> = groups.iter().filter(|group| has_no_spread(&totals_of(group))).collect();
    let at = |end: fn(&Reply) -> f64| {
        flat.iter().filter(|group| group.iter().all(|reply| (reply.total - end(reply)).abs() < 1e-9)).count()
    };
    ZeroVariance {
        groups: flat.len(),
        share: flat.len() as f64 / groups.len() as f64,
        all_best: at(|reply| reply.range.1),
        all_worst: at(|reply| reply.range.0),
    }
}

/// The standard deviations of the groups of two or more, with n - 1.
fn stds(groups: &[Vec<&Reply>]) -> Vec<f64> {
    groups.iter().filter(|group| group.len() > 1).map(|group| share::std(&totals_of(group))).collect()
}

fn totals(rows: &[Reply], groups: &[Vec<&Reply>]) -> Totals {
    let all: Vec<f64> = rows.iter().map(|row| row.total).collect();
    let mean = share::mean(&all);
    let stds = stds(groups);
    let squares = |values: &[f64]| {
        let mean = share::mean(values);
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
    };
    let within: f64 = groups.iter().map(|group| squares(&totals_of(group))).sum();
    let whole = squares(&all);
    Totals {
        mean,
        std: share::std(&all),
        within_group_std: share::mean(&stds),
        within_group_share: if whole > 0.0 { within / whole } else { 0.0 },
    }
}

/// Every advantage, on batches of the groups in their order.
fn advantages(groups: &[Vec<&Reply>], batch: usize) -> Vec<AdvantageForecast> {
    use AdvantageKind as Kind;
    let kinds = [
        Kind::GroupNormalized,
        Kind::MeanCentered,
        Kind::LeaveOneOut,
        Kind::BatchScaled,
        Kind::BatchWhitened,
        Kind::BatchNormalized,
        Kind::RewardDecoupled,
    ];
    let reward = |reply: &&Reply| toolrl_grpo::Reward { total: reply.total, terms: reply.terms.clone() };
    let forecast = |kind: Kind| {
        let (mut useful, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for batch in groups.chunks(batch.max(1)) {
            let rewards: Vec<Vec<_>> = batch.iter().map(|group| group.iter().map(reward).collect()).collect();
            for advantages in kind.of_batch(&rewards, EPSILON) {
                let weight: f64 = advantages.iter().flatten().map(|a| a * a).sum();
                useful += f64::from(weight > 1e-12);
                sum += weight;
                squares += weight * weight;
            }
        }
        let scale = batch as f64 / groups.len() as f64;
        let effective = if squares > 0.0 { sum * sum / squares } else { 0.0 };
        AdvantageForecast { kind, useful_groups: useful * scale, effective_groups: effective * scale }
    };
    kinds.map(forecast).into()
}

/// Members of a group whose pairs are looked at one by one.
const MEMBERS_COMPARED: usize = 128;

/// Pairs of one group with one total whose terms differ, out of its pairs with one total.
fn mixed_ties(groups: &[Vec<&Reply>]) -> f64 {
    let (mut ties, mut mixed) = (0_u64, 0_u64);
    for group in groups {
        let group = &group[..group.len().min(MEMBERS_COMPARED)];
        for (place, x) in group.iter().enumerate() {
            for y in group[..place].iter().filter(|y| (x.total - y.total).abs() <= 1e-9) {
                let differ =
                    |(a, b): (&TermReward, &TermReward)| a.weight != 0.0 && (a.value - b.value).abs() > 1e-9;
                ties += 1;
                mixed += u64::from(x.terms.iter().zip(&y.terms).any(differ));
            }
        }
    }
    mixed as f64 / ties.max(1) as f64
}
