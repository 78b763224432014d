//! What each term contributes to the advantage.

use serde::Serialize;
use toolrl_grpo::{TermReward, has_no_spread};
use toolrl_reward::{Breakdown, CallPoints, Outcome};

use super::{EPSILON, Reply};
use crate::Scored;

/// What a term does over the replies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TermForecast {
    /// Its id; a part of `correctness` is `correctness/names`, `correctness/keys` or `correctness/values`.
    pub id: String,
    /// Its weight.
    pub weight: f64,
    /// Mean of its value, before the weight.
    pub mean: f64,
    /// Standard deviation of its value, with n - 1.
    pub std: f64,
    /// Share of replies with its least and with its greatest value; none of a part.
    pub at_ends: Option<(f64, f64)>,
    /// Share of groups in which it does not vary.
    pub flat_groups: f64,
    /// Its share in the variance of the mean-centred advantage `A = d`.
    pub share: f64,
    /// Its share in that of the group-normalised advantage `A = d / (std of the group + 1e-6)`.
    pub share_normalized: f64,
    /// Its share in that of the reward-decoupled advantage (GDPO), to which each term adds its weight times its
    /// own group-normalised value; none of a part, which has no normalisation of its own there.
    pub share_decoupled: Option<f64>,
    /// Replies on which it failed.
    pub failures: usize,
    /// Why it teaches nothing, if it does not.
    pub saturated: Option<Saturated>,
}

/// Why a term teaches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Saturated {
    /// At least 95% of the replies have its greatest value.
    AtGreatest,
    /// At least 95% of the replies have its least value.
    AtLeast,
    /// It never varies within a group.
    Flat,
}

/// Two terms, by their deviations within groups.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlation {
    /// The terms.
    pub terms: (String, String),
    /// Pearson's r of their deviations from the group's mean; none where one never varies.
    pub r: Option<f64>,
}

/// The share of replies at an end from which on a term is saturated.
pub(super) const SATURATED: f64 = 0.95;

/// What the parts of the correctness earned, in reward: its value but for a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parts {
    weight: f64,
    points: [f64; 3],
    /// Points of calls that count as wholes stand among the values.
    whole_calls: Option<bool>,
    reward_per_point: f64,
}

/// Their names.
const PARTS: [&str; 3] = ["correctness/names", "correctness/keys", "correctness/values"];

impl Parts {
    /// Those of a reply, where its correctness has any.
    pub(super) fn of(scored: &Scored) -> Option<Self> {
        let correctness = |term: &&toolrl_reward::ScoredTerm| {
            matches!(term.score.breakdown, Breakdown::Correctness(_)) && term.weight != 0.0
        };
        let term = scored.score.terms.iter().find(correctness)?;
        let calls = scored.reference.calls()?;
        let parameters = calls.iter().filter_map(|call| call.parameter_count());
        let (count, parameters) = (calls.len() as f64, parameters.sum::<usize>() as f64);
        let width = term.range.1 - term.range.0;
        let none = Self {
            weight: term.weight,
            points: [0.0; 3],
            whole_calls: None,
            reward_per_point: width / (1.0 + count + parameters),
        };
        let Breakdown::Correctness(outcome) = &term.score.breakdown else { return None };
        match outcome {
            Outcome::Equal => Some(Self { points: [1.0, count, parameters], ..none }),
            Outcome::NoCalls | Outcome::Unreadable(_) | Outcome::Unscorable(_) => Some(none),
            Outcome::Compared(comparison) => {
                let mut points = [comparison.names.gained, 0.0, 0.0];
                let mut whole = false;
                for call in &comparison.calls {
                    match call.points {
                        CallPoints::Parts { keys, values } => {
                            points[1] += keys.gained;
                            points[2] += values.gained;
                        }
                        CallPoints::Whole(_) => whole = true,
                    }
                }
                let reward_per_point = comparison.reward_per_point;
                Some(Self { points, whole_calls: Some(whole), reward_per_point, ..none })
            }
            Outcome::NoCallsWanted | Outcome::Different => None,
        }
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// With n - 1; 0 for fewer than two.
pub(super) fn std(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

fn deviations(values: &[f64]) -> Vec<f64> {
    let mean = mean(values);
    values.iter().map(|value| value - mean).collect()
}

/// Sums over groups from which the three shares follow.
#[derive(Clone, Copy, Default)]
struct Covariance {
    centered: f64,
    normalized: f64,
}

impl Covariance {
    /// `sum x d`, and the same over groups that are divided by their own standard deviation.
    fn add(&mut self, x: &[f64], totals: &[f64], std: f64) {
        let product: f64 = deviations(x).iter().zip(deviations(totals)).map(|(x, d)| x * d).sum();
        self.centered += product;
        self.normalized += product / (std + EPSILON).powi(2);
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Each term, and after `correctness` its parts.
pub(super) fn terms(ids: &[String], groups: &[Vec<&Reply>]) -> Vec<TermForecast> {
    let whole = sum_over(groups, |reply| reply.total);
    let decoupled = decoupled(ids.len(), groups);
    let all: Vec<&&Reply> = groups.iter().flatten().collect();
    let mut forecasts = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        let of = sum_over(groups, |reply| weighted(reply.terms[place]));
        let values: Vec<f64> = all.iter().map(|reply| reply.terms[place].value).collect();
        let at = |end: fn((f64, f64)) -> f64| {
            let there = |reply: &&&&Reply| (reply.terms[place].value - end(reply.ranges[place])).abs() < 1e-9;
            all.iter().filter(there).count() as f64 / all.len() as f64
        };
        let (least, greatest) = (at(|range| range.0), at(|range| range.1));
        let flat_groups = flat(groups, |reply| reply.terms[place].value);
        let saturated = if greatest >= SATURATED {
            Some(Saturated::AtGreatest)
        } else if least >= SATURATED {
            Some(Saturated::AtLeast)
        } else {
            (flat_groups == 1.0).then_some(Saturated::Flat)
        };
        forecasts.push(TermForecast {
            id: id.clone(),
            weight: all.iter().map(|reply| reply.terms[place].weight).find(|w| *w != 0.0).unwrap_or(0.0),
            mean: mean(&values),
            std: std(&values),
            at_ends: Some((least, greatest)),
            flat_groups,
            share: share(of.centered, whole.centered),
            share_normalized: share(of.normalized, whole.normalized),
            share_decoupled: Some(share(decoupled[place], decoupled.iter().sum())),
            failures: all.iter().filter(|reply| reply.failed.contains(&place)).count(),
            saturated,
        });
        if id == "correctness" {
            forecasts.extend(parts(groups, whole));
        }
    }
    forecasts
}

/// The parts of the correctness; none where calls count as wholes or where replies differ in kind.
fn parts(groups: &[Vec<&Reply>], whole: Covariance) -> Vec<TermForecast> {
    let all = || groups.iter().flatten().filter_map(|reply| reply.parts);
    if all().any(|parts| parts.whole_calls == Some(true)) || all().all(|parts| parts.whole_calls.is_none()) {
        return Vec::new();
    }
    let earned = |parts: Parts, part: usize| parts.weight * parts.reward_per_point * parts.points[part];
    let forecast = |(part, id): (usize, &str)| {
        let value = |reply: &Reply| reply.parts.map_or(0.0, |parts| earned(parts, part));
        let of = sum_over(groups, value);
        let values: Vec<f64> = all().map(|parts| parts.reward_per_point * parts.points[part]).collect();
        TermForecast {
            id: id.to_owned(),
            weight: all().next().map_or(0.0, |parts| parts.weight),
            mean: mean(&values),
            std: std(&values),
            at_ends: None,
            flat_groups: flat(groups, value),
            share: share(of.centered, whole.centered),
            share_normalized: share(of.normalized, whole.normalized),
            share_decoupled: None,
            failures: 0,
            saturated: None,
        }
    };
    PARTS.into_iter().enumerate().map(forecast).collect()
}

fn weighted(term: TermReward) -> f64 {
    // A term that is only logged may have any value.
    if term.weight == 0.0 { 0.0 } else { term.weight * term.value }
}

fn sum_over(groups: &[Vec<&Reply>], value: impl Fn(&Reply) -> f64) -> Covariance {
    let mut sum = Covariance::default();
    for group in groups {
        let totals = super::totals_of(group);
        let values: Vec<f64> = group.iter().map(|reply| value(reply)).collect();
        sum.add(&values, &totals, std(&totals));
    }
    sum
}

/// `sum a_k A` of each term `k` of the reward-decoupled advantage.
fn decoupled(terms: usize, groups: &[Vec<&Reply>]) -> Vec<f64> {
    let mut sums = vec![0.0; terms];
    for group in groups {
        let normalized = |place: usize| -> Vec<f64> {
            let values: Vec<f64> = group.iter().map(|reply| reply.terms[place].value).collect();
            let (weight, scale) = (group[0].terms[place].weight, std(&values) + EPSILON);
            deviations(&values).iter().map(|d| if weight == 0.0 { 0.0 } else { weight * d / scale }).collect()
        };
        let parts: Vec<Vec<f64>> = (0..terms).map(normalized).collect();
        for member in 0..group.len() {
            let advantage: f64 = parts.iter().map(|part| part[member]).sum();
            for (sum, part) in sums.iter_mut().zip(&parts) {
                *sum += part[member] * advantage;
            }
        }
    }
    sums
}

/// Share of groups in which a value does not vary.
fn flat(groups: &[Vec<&Reply>], value: impl Fn(&Reply) -> f64) -> f64 {
    let is_flat =
        |group: &&Vec<&Reply>| has_no_spread(&group.iter().map(|reply| value(reply)).collect::<Vec<_>>());
    groups.iter().filter(is_flat).count() as f64 / groups.len() as f64
}

/// Every pair of terms, weights left out.
pub(super) fn correlations(ids: &[String], groups: &[Vec<&Reply>]) -> Vec<Correlation> {
    let of: Vec<Vec<f64>> = (0..ids.len())
        .map(|place| {
            let values = |group: &Vec<&Reply>| {
                deviations(&group.iter().map(|reply| reply.terms[place].value).collect::<Vec<_>>())
            };
            groups.iter().flat_map(values).collect()
        })
        .collect();
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let mut correlations = Vec::new();
    for (second, y) in of.iter().enumerate() {
        for (first, x) in of[..second].iter().enumerate() {
            let scale = (product(x, x) * product(y, y)).sqrt();
            let r = (scale > 1e-12).then(|| product(x, y) / scale);
            correlations.push(Correlation { terms: (ids[first].clone(), ids[second].clone()), r });
        }
    }
    correlations
}
