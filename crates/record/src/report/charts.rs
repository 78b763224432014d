//! Which curves a report shows.

use std::collections::BTreeSet;

use toolrl_grpo::Diagnostics;

use super::svg::{Chart, Series};
use crate::{AdaptiveKlMetrics, DpoMetrics, GrpoMetrics, StepDetail, StepMetrics, TaskMetrics};

/// The curves of a run: those that have a point.
pub(super) fn charts(metrics: &[StepMetrics]) -> Vec<Chart> {
    let mut charts = grpo_charts(metrics);
    charts.extend(dpo_charts(metrics));
    let shares = names(metrics.iter().flat_map(|row| row.detail.sources().keys()));
    let share = |name: &String| all(metrics, name, |row| row.detail.sources().get(name).map(|s| s.share));
    charts.extend([
        chart("Sources", "share of what was trained on so far", shares.into_iter().map(share).collect()),
        chart("Loss", "loss", vec![all(metrics, "", |m| Some(m.loss))]),
        chart("Gradient norm before clipping", "L2 norm", vec![all(metrics, "", |m| Some(m.grad_norm))]),
        chart("Learning rate", "learning rate", vec![all(metrics, "", |m| Some(m.lr))]),
    ]);
    let stages = names(metrics.iter().flat_map(|m| m.seconds.keys()));
    let seconds = |stage: &String| all(metrics, stage, |m| m.seconds.get(stage).copied());
    charts.push(chart("Time by stage", "seconds", stages.into_iter().map(seconds).collect()));
    for chart in &mut charts {
        chart.series.retain(|s| !s.points.is_empty());
    }
    charts.retain(|c| !c.series.is_empty());
    charts
}

fn grpo_charts(metrics: &[StepMetrics]) -> Vec<Chart> {
    let line = |name: &str, value: fn(&GrpoMetrics) -> Option<f64>| grpo(metrics, name, value);
    let tasks = |name: &str, value: fn(&TaskMetrics) -> Option<f64>| {
        grpo(metrics, name, |g| g.tasks.as_ref().and_then(value))
    };
    let terms =
        names(metrics.iter().filter_map(|row| row.detail.sampled()).flat_map(|g| g.components.keys()));
    let term = |name: &String| grpo(metrics, name, |g| g.components.get(name).copied());
    let failing =
        names(metrics.iter().filter_map(|row| row.detail.sampled()).flat_map(|g| g.reward_failures.keys()));
    let failures = |name: &String| {
        grpo(metrics, name, |g| Some(g.reward_failures.get(name).copied().unwrap_or(0) as f64))
    };
    vec![
        chart("Mean reward", "reward", vec![line("", |g| Some(g.reward.mean))]),
        chart("Reward components", "mean reward of the term", terms.into_iter().map(term).collect()),
        chart("Failures of reward terms", "replies", failing.into_iter().map(failures).collect()),
        chart(
            "Reply length",
            "tokens",
            vec![
                line("mean", |g| Some(g.reply_length.mean)),
                line("longest", |g| Some(g.reply_length.max as f64)),
            ],
        ),
        chart("Replies that ended by themselves", "share of replies", vec![line("", |g| Some(g.stop_rate))]),
        chart(
            "Groups without spread, which teach nothing",
            "share of groups",
            vec![line("", |g| Some(g.zero_variance_groups as f64 / g.groups.max(1) as f64))],
        ),
        chart("Replies that succeeded", "share of replies", vec![line("", |g| g.success_rate)]),
        chart(
            "Tasks",
            "share of tasks",
            vec![
                tasks("not asked yet", |t| t.unseen),
                tasks("resting", |t| t.resting),
                tasks("solved when asked last", |t| t.solved),
                tasks("failed when asked last", |t| t.failed),
                tasks("estimated success", |t| t.estimate),
            ],
        ),
        chart(
            "Gap between sampler and trainer",
            "|difference of log-probabilities|, nats",
            vec![line("mean", |g| Some(g.logprob_gap.mean)), line("largest", |g| Some(g.logprob_gap.max))],
        ),
        chart("Entropy of the sampled tokens", "nats", vec![line("", |g| g.entropy)]),
        chart(
            "Tokens whose ratio was clipped",
            "share of tokens",
            vec![
                line("low", |g| Some(g.update.clip_fraction_low)),
                line("high", |g| Some(g.update.clip_fraction_high)),
                line("second, of negative advantages", |g| g.update.dual_clip_fraction),
            ],
        ),
        chart(
            "Tokens whose ratio was clipped, by pass",
            "share of tokens",
            by_pass(metrics, |pass| pass.clip_fraction_low + pass.clip_fraction_high),
        ),
        chart(
            "Correction for the sampler",
            "mean weight; share of tokens",
            vec![
                line("mean weight", |g| g.update.sampler_weight_mean),
                line("share that a bound cut or masked", |g| g.update.sampler_cut_fraction),
            ],
        ),
        chart(
            "Divergence",
            "KL estimate, nats a token",
            vec![
                line("from the policy that sampled", |g| Some(g.update.approx_kl)),
                line("from the reference", |g| g.update.ref_kl),
            ],
        ),
        chart(
            "Divergence from the policy that sampled, by pass",
            "KL estimate, nats a token",
            by_pass(metrics, |pass| pass.approx_kl),
        ),
        chart("Coefficient of the divergence", "coefficient", adaptive(metrics, |kl| kl.coef)),
        chart(
            "Divergence that it follows",
            "KL estimate, nats a reply",
            adaptive(metrics, |kl| kl.divergence),
        ),
    ]
}

fn dpo_charts(metrics: &[StepMetrics]) -> [Chart; 3] {
    let line = |name: &str, value: fn(&DpoMetrics) -> f64| {
        all(metrics, name, |row| match &row.detail {
            StepDetail::Dpo(dpo) => Some(value(dpo)),
            _ => None,
        })
    };
    [
        chart(
            "Reward that the policy stands for",
            "beta times the log-ratio, nats",
            vec![
                line("chosen", |d| d.chosen_reward),
                line("rejected", |d| d.rejected_reward),
                line("margin", |d| d.margin),
            ],
        ),
        chart("Pairs told apart", "share of pairs", vec![line("", |d| d.accuracy)]),
        chart(
            "Log-probability of the replies",
            "nats a reply",
            vec![line("chosen", |d| d.chosen_logp), line("rejected", |d| d.rejected_logp)],
        ),
    ]
}

fn chart(title: &str, y_label: &str, series: Vec<Series>) -> Chart {
    Chart { title: title.to_owned(), y_label: y_label.to_owned(), series }
}

fn names<'a>(keys: impl Iterator<Item = &'a String>) -> BTreeSet<&'a String> {
    keys.collect()
}

fn grpo(metrics: &[StepMetrics], name: &str, value: impl Fn(&GrpoMetrics) -> Option<f64>) -> Series {
    all(metrics, name, |row| row.detail.sampled().and_then(&value))
}

/// A line a pass.
fn by_pass(metrics: &[StepMetrics], value: fn(&Diagnostics) -> f64) -> Vec<Series> {
    let passes = |row: &StepMetrics| row.detail.sampled().map_or(0, |g| g.passes.len());
    let most = metrics.iter().map(passes).max().unwrap_or_default();
    let line =
        |pass: usize| grpo(metrics, &format!("pass {}", pass + 1), move |g| g.passes.get(pass).map(value));
    (0..most).map(line).collect()
}

/// A line a coefficient that follows a target.
fn adaptive(metrics: &[StepMetrics], value: fn(&AdaptiveKlMetrics) -> f64) -> Vec<Series> {
    let named =
        names(metrics.iter().filter_map(|row| row.detail.sampled()).flat_map(|g| g.adaptive_kl.keys()));
    let line = |name: &String| grpo(metrics, name, |g| g.adaptive_kl.get(name).map(value));
    named.into_iter().map(line).collect()
}

/// A line over the steps that have the value, and have it finite.
fn all(metrics: &[StepMetrics], name: &str, value: impl Fn(&StepMetrics) -> Option<f64>) -> Series {
    let point = |row: &StepMetrics| Some((row.step as f64, value(row).filter(|v| v.is_finite())?));
    Series { name: name.to_owned(), points: metrics.iter().filter_map(point).collect() }
}
