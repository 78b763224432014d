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
    /// Advantages of a batch of groups, in the groups' shape.
    ///
    /// # Arguments
    /// - `groups`: one reward per member.
    /// - `epsilon`: added to the standard deviation where the kind divides by one.
    pub fn of_batch(self, groups: &[Vec<Reward>], epsilon: f64) -> Vec<Vec<f64>> {
        let totals: Vec<Vec<f64>> =
            groups.iter().map(|group| group.iter().map(|reward| reward.total).collect()).collect();
        let each = |of_group: &dyn Fn(&[f64]) -> Vec<f64>| totals.iter().map(|r| of_group(r)).collect();
        match self {
            Self::GroupNormalized => each(&|rewards| group_normalized(rewards, epsilon)),
            Self::MeanCentered => each(&mean_centered),
            Self::LeaveOneOut => each(&leave_one_out),
            Self::BatchScaled => batch_scaled(&totals, epsilon),
            Self::BatchNormalized => batch_normalized(&totals, epsilon),
            Self::BatchWhitened => batch_whitened(&totals, epsilon),
            Self::RewardDecoupled => reward_decoupled(groups, epsilon),
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
/// differ does not weigh as much as one whose replies differ a lot.
pub fn mean_centered(rewards: &[f64]) -> Vec<f64> {
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
    let (mean, scale) = (mean(&all), sample_std(&all) + epsilon);
    let of_group = |rewards: &Vec<f64>| scaled(rewards.iter().map(|r| r - mean).collect(), scale);
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

/// Divided by the standard deviation over the batch.
fn whitened(groups: Vec<Vec<f64>>, epsilon: f64) -> Vec<Vec<f64>> {
    let scale = sample_std(&groups.concat()) + epsilon;
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
mod tests {
    use super::*;

    /// Rewards of two terms, the second with the weight 2.
    fn rewards(values: &[(f64, f64)]) -> Vec<Reward> {
        let reward = |&(a, b): &(f64, f64)| Reward {
            total: a + 2.0 * b,
            terms: vec![TermReward { weight: 1.0, value: a }, TermReward { weight: 2.0, value: b }],
        };
        values.iter().map(reward).collect()
    }

    const KINDS: [AdvantageKind; 7] = [
        AdvantageKind::GroupNormalized,
        AdvantageKind::MeanCentered,
        AdvantageKind::LeaveOneOut,
        AdvantageKind::BatchScaled,
        AdvantageKind::BatchNormalized,
        AdvantageKind::BatchWhitened,
        AdvantageKind::RewardDecoupled,
    ];

    #[test]
    fn groups_without_comparison_have_no_advantage() {
        for kind in KINDS {
            assert_eq!(kind.of_batch(&[], 1e-6), Vec::<Vec<f64>>::new());
            assert_eq!(kind.of_batch(&[rewards(&[(3.0, 1.0)])], 0.0), [[0.0]], "{kind:?}");
            let equal = rewards(&[(2.0, 1.0); 4]);
            assert_eq!(kind.of_batch(&[equal], 0.0), [[0.0; 4]], "{kind:?}");
        }
    }

    #[test]
    fn a_group_without_spread_is_left_alone_beside_others_unless_compared_with_the_batch() {
        let groups = [rewards(&[(1.0, 0.5); 3]), rewards(&[(0.0, 1.0), (3.0, -1.0), (-2.0, 0.0)])];
        for kind in KINDS {
            let advantages = kind.of_batch(&groups, 1e-6);
            let alone = advantages[0] == [0.0; 3];
            assert_eq!(alone, kind != AdvantageKind::BatchNormalized, "{kind:?}: {advantages:?}");
            assert!(advantages[1].iter().any(|a| a.abs() > 0.1), "{kind:?}");
        }
    }

    /// Every kind against its formula, written out for each reply by itself.
    #[test]
    fn every_kind_is_its_formula() {
        let values = [
            vec![(1.0, 0.2), (-0.5, 0.9), (0.3, -1.1)],
            vec![(2.0, 0.0), (2.5, 0.1), (-3.0, 0.7), (0.25, 0.25)],
            vec![(0.1, -0.4), (0.2, 0.8)],
        ];
        let groups: Vec<_> = values.iter().map(|group| rewards(group)).collect();
        let eps = 1e-3;
        let avg = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let std = |v: &[f64]| {
            (v.iter().map(|x| (x - avg(v)) * (x - avg(v))).sum::<f64>() / (v.len() as f64 - 1.0)).sqrt()
        };
        let totals: Vec<Vec<f64>> =
            values.iter().map(|g| g.iter().map(|(a, b)| a + 2.0 * b).collect()).collect();
        let all = totals.concat();
        let centered: Vec<f64> = totals.iter().flat_map(|g| g.iter().map(|r| r - avg(g))).collect();
        let decoupled: Vec<f64> = values
            .iter()
            .flat_map(|g| {
                let (a, b): (Vec<f64>, Vec<f64>) = g.iter().copied().unzip();
                let of = move |v: &[f64], x: f64| (x - avg(v)) / (std(v) + eps);
                g.iter().map(move |&(x, y)| of(&a, x) + 2.0 * of(&b, y)).collect::<Vec<_>>()
            })
            .collect();
        for kind in KINDS {
            let (mut i, advantages) = (0, kind.of_batch(&groups, eps));
            for (group, rewards) in totals.iter().enumerate() {
                for (member, r) in rewards.iter().enumerate() {
                    let others = (rewards.iter().sum::<f64>() - r) / (rewards.len() as f64 - 1.0);
                    let expected = match kind {
                        AdvantageKind::GroupNormalized => (r - avg(rewards)) / (std(rewards) + eps),
                        AdvantageKind::MeanCentered => r - avg(rewards),
                        AdvantageKind::LeaveOneOut => r - others,
                        AdvantageKind::BatchScaled => (r - avg(rewards)) / (std(&all) + eps),
                        AdvantageKind::BatchNormalized => (r - avg(&all)) / (std(&all) + eps),
                        AdvantageKind::BatchWhitened => centered[i] / (std(&centered) + eps),
                        AdvantageKind::RewardDecoupled => decoupled[i] / (std(&decoupled) + eps),
                    };
                    let got = advantages[group][member];
                    assert!((got - expected).abs() < 1e-12, "{kind:?}: {got}, not {expected}");
                    i += 1;
                }
            }
        }
    }

    #[test]
    fn leave_one_out_is_the_difference_from_the_others() {
        let rewards = [3.0, -2.0, 0.5, 4.0];
        for (i, advantage) in leave_one_out(&rewards).into_iter().enumerate() {
            let others: f64 = (0..4).filter(|&j| j != i).map(|j| rewards[j]).sum::<f64>() / 3.0;
            assert!((advantage - (rewards[i] - others)).abs() < 1e-12);
        }
    }

    #[test]
    fn spread_is_seen() {
        assert!(has_no_spread(&[]));
        assert!(has_no_spread(&[1.0, 1.0, 1.0 + 1e-12]));
        assert!(!has_no_spread(&[1.0, 1.0, 1.001]));
        assert!(!has_no_spread(&[1.0, f64::NAN]), "a NaN is no equal reward");
    }
}
