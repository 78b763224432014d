//! Advantages: how much better a reply did than the other replies to its prompt.
//!
//! Notation: `r_i` is the reward of member `i` of a group of `G` replies to one prompt; a batch is the groups of a
//! step.

/// Which advantage is computed from the rewards of a step's groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AdvantageKind {
    /// [`group_normalized`]: GRPO, the ToolRL paper's setting.
    #[default]
    GroupNormalized,
    /// [`mean_centered`]: Dr. GRPO.
    MeanCentered,
    /// [`leave_one_out`]: RLOO.
    LeaveOneOut,
    /// [`batch_scaled`]: the group's mean and the batch's scale.
    BatchScaled,
    /// [`batch_normalized`]: REINFORCE++.
    BatchNormalized,
    /// [`batch_whitened`]: REINFORCE++ with the group's mean as its baseline.
    BatchWhitened,
    /// [`reward_decoupled`]: GDPO, which normalises each term of the reward by itself.
    RewardDecoupled,
    /// [`max_variance`]: PODS, which trains on the replies of a group that differ most.
    MaxVariance {
        /// Replies of a group that are kept.
        keep: usize,
    },
}

/// What a reply earned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reward {
    /// Altogether.
    pub total: f64,
    /// By each term of the reward, the same terms in the same order for every reply of a batch.
    pub terms: Vec<TermReward>,
}

/// One term's share of a [`Reward`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TermReward {
    /// The term's weight.
    pub weight: f64,
    /// Its value, before it is weighted.
    pub value: f64,
}

impl From<f64> for Reward {
    /// A reward of no terms.
    fn from(total: f64) -> Self {
        Self { total, terms: Vec::new() }
    }
}

impl AdvantageKind {
    /// Advantages of a batch of groups, in the groups' shape; none for a reply that is not trained on, which
    /// [`max_variance`] alone has.
    ///
    /// # Arguments
    /// - `groups`: one reward per member.
    /// - `epsilon`: added to the standard deviation where the kind divides by one.
    pub fn of_batch(self, groups: &[Vec<Reward>], epsilon: f64) -> Vec<Vec<Option<f64>>> {
        let totals: Vec<Vec<f64>> =
            groups.iter().map(|group| group.iter().map(|reward| reward.total).collect()).collect();
        let each = |of_group: &dyn Fn(&[f64]) -> Vec<f64>| totals.iter().map(|r| of_group(r)).collect();
        let advantages: Vec<Vec<f64>> = match self {
            Self::GroupNormalized => each(&|rewards| group_normalized(rewards, epsilon)),
            Self::MeanCentered => each(&mean_centered),
            Self::LeaveOneOut => each(&leave_one_out),
            Self::BatchScaled => batch_scaled(&totals, epsilon),
            Self::BatchNormalized => batch_normalized(&totals, epsilon),
            Self::BatchWhitened => batch_whitened(&totals, epsilon),
            Self::RewardDecoupled => reward_decoupled(groups, epsilon),
            Self::MaxVariance { keep } => {
                return totals.iter().map(|rewards| max_variance(rewards, keep, epsilon)).collect();
            }
        };
        advantages.into_iter().map(|group| group.into_iter().map(Some).collect()).collect()
    }
}

impl AdvantageKind {
    /// What each group's differences from its mean are divided by; none for a kind that is not a difference from the
    /// group's mean divided by one number.
    pub fn scales(self, groups: &[Vec<f64>], epsilon: f64) -> Option<Vec<f64>> {
        let all = |scale: f64| Some(vec![scale; groups.len()]);
        match self {
            Self::GroupNormalized => {
                Some(groups.iter().map(|rewards| sample_std(rewards) + epsilon).collect())
            }
            Self::MeanCentered => all(1.0),
            Self::BatchScaled => all(sample_std(&groups.concat()) + epsilon),
            Self::BatchWhitened => {
                let centered: Vec<f64> = groups.iter().flat_map(|rewards| mean_centered(rewards)).collect();
                all(sample_std(&centered) + epsilon)
            }
            Self::LeaveOneOut | Self::BatchNormalized | Self::RewardDecoupled | Self::MaxVariance { .. } => {
                None
            }
        }
    }
}

/// `(r_i - mean) / (std + epsilon)` with the `G - 1` standard deviation (DeepSeekMath, arXiv
/// 2402.03300, equation of its outcome supervision; ToolRL, arXiv 2504.13958, with `epsilon` 1e-6).
///
/// A group of one, which has nothing to be compared with, gets 0; so does a group without spread.
pub fn group_normalized(rewards: &[f64], epsilon: f64) -> Vec<f64> {
    scaled(mean_centered(rewards), sample_std(rewards) + epsilon)
}

/// `r_i - mean` (Dr. GRPO, arXiv 2503.20783): no division, so that a prompt whose replies hardly
/// differ does not weigh as much as one whose replies differ a lot. A group without spread ([`has_no_spread`]) gets 0,
/// whatever its mean is rounded to.
pub fn mean_centered(rewards: &[f64]) -> Vec<f64> {
    if has_no_spread(rewards) {
        return vec![0.0; rewards.len()];
    }
    let mean = mean(rewards);
    rewards.iter().map(|r| r - mean).collect()
}

/// `r_i - mean of the others` (RLOO, arXiv 2402.14740), which is `G / (G - 1) * (r_i - mean)`.
/// A group of one gets 0.
pub fn leave_one_out(rewards: &[f64]) -> Vec<f64> {
    let size = rewards.len() as f64;
    let factor = if rewards.len() > 1 { size / (size - 1.0) } else { 0.0 };
    mean_centered(rewards).into_iter().map(|a| a * factor).collect()
}

/// `(r_i - mean of its group) / (std over the batch + epsilon)`: the group gives the baseline and
/// the whole batch the scale (the "batch" scaling of "Tricks or Traps", arXiv 2508.08221).
pub fn batch_scaled(groups: &[Vec<f64>], epsilon: f64) -> Vec<Vec<f64>> {
    let scale = sample_std(&groups.concat()) + epsilon;
    groups.iter().map(|rewards| scaled(mean_centered(rewards), scale)).collect()
}

/// `(r_i - mean over the batch) / (std over the batch + epsilon)` (REINFORCE++, arXiv 2501.03262): no comparison with
/// the group, so that a prompt whose replies are all good raises them all.
pub fn batch_normalized(groups: &[Vec<f64>], epsilon: f64) -> Vec<Vec<f64>> {
    let all = groups.concat();
    let scale = sample_std(&all) + epsilon;
    let mut centered = mean_centered(&all).into_iter();
    let of_group = |rewards: &Vec<f64>| scaled(centered.by_ref().take(rewards.len()).collect(), scale);
    groups.iter().map(of_group).collect()
}

/// `(r_i - mean of its group) / (std of these differences over the batch + epsilon)` (REINFORCE++ with a baseline,
/// arXiv 2501.03262). The differences' mean over the batch is 0 and needs not be taken off.
pub fn batch_whitened(groups: &[Vec<f64>], epsilon: f64) -> Vec<Vec<f64>> {
    whitened(groups.iter().map(|rewards| mean_centered(rewards)).collect(), epsilon)
}

/// The sum over the reward's terms of weight times [`group_normalized`] of that term alone, divided by the standard
/// deviation of these sums over the batch + epsilon (GDPO, arXiv 2601.05242): a term whose values hardly differ is
/// not drowned by one with a wide range, and different mixtures of terms with one total stay apart. The sums' mean
/// over the batch is 0 and needs not be taken off.
pub fn reward_decoupled(groups: &[Vec<Reward>], epsilon: f64) -> Vec<Vec<f64>> {
    let of_group = |group: &Vec<Reward>| {
        let mut sums = vec![0.0; group.len()];
        for term in 0..group.iter().map(|reward| reward.terms.len()).min().unwrap_or(0) {
            let values: Vec<f64> = group.iter().map(|reward| reward.terms[term].value).collect();
            for ((sum, reward), a) in sums.iter_mut().zip(group).zip(group_normalized(&values, epsilon)) {
                *sum += reward.terms[term].weight * a;
            }
        }
        sums
    };
    whitened(groups.iter().map(of_group).collect(), epsilon)
}

/// [`group_normalized`] over the `keep` replies whose rewards have the greatest variance, and none for the others, which
/// are not trained on (PODS, arXiv 2504.13818). Such a choice takes some of the highest and some of the lowest rewards and nothing between
/// (their theorem 1), so that `keep + 1` splits are all that is tried; of equal ones the first, with the most of the
/// lowest. A group of `keep` or fewer is kept whole.
pub fn max_variance(rewards: &[f64], keep: usize, epsilon: f64) -> Vec<Option<f64>> {
    if rewards.len() <= keep {
        return group_normalized(rewards, epsilon).into_iter().map(Some).collect();
    }
    let mut order: Vec<usize> = (0..rewards.len()).collect();
    order.sort_by(|&a, &b| rewards[a].total_cmp(&rewards[b]));
    let highest_of = |high: usize| {
        let (low, rest) = order.split_at(keep - high);
        [low, &rest[rest.len() - high..]].concat()
    };
    let values = |kept: &[usize]| kept.iter().map(|&i| rewards[i]).collect::<Vec<_>>();
    let mut best = highest_of(0);
    for high in 1..=keep {
        let split = highest_of(high);
        if sample_std(&values(&split)) > sample_std(&values(&best)) {
            best = split;
        }
    }
    let mut advantages = vec![None; rewards.len()];
    for (&i, advantage) in best.iter().zip(group_normalized(&values(&best), epsilon)) {
        advantages[i] = Some(advantage);
    }
    advantages
}

/// Divided by the standard deviation over the batch.
fn whitened(mut groups: Vec<Vec<f64>>, epsilon: f64) -> Vec<Vec<f64>> {
    let all = groups.concat();
    if has_no_spread(&all) {
        // What is left of sums that are equal is rounding.
        groups.iter_mut().for_each(|group| group.fill(0.0));
        return groups;
    }
    let scale = sample_std(&all) + epsilon;
    groups.into_iter().map(|advantages| scaled(advantages, scale)).collect()
}

/// Whether all rewards of a group are equal, to 1e-9: such a group has no advantage and so no
/// gradient. A group of one or none has no spread either.
pub fn has_no_spread(rewards: &[f64]) -> bool {
    rewards.iter().all(|r| (r - rewards[0]).abs() <= 1e-9)
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// Standard deviation with `n - 1`; 0 for fewer than two values.
fn sample_std(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// Divides, and leaves zeros alone, so that an `epsilon` of 0 makes no NaN of a group without spread.
fn scaled(centered: Vec<f64>, scale: f64) -> Vec<f64> {
    centered.into_iter().map(|a| if a == 0.0 { 0.0 } else { a / scale }).collect()
}

#[cfg(test)]
#[path = "advantage_tests.rs"]
mod tests;
