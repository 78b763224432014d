//! Every kind of advantage against its formula.

use super::*;

/// Rewards of two terms, the second with the weight 2.
fn rewards(values: &[(f64, f64)]) -> Vec<Reward> {
    let reward = |&(a, b): &(f64, f64)| Reward {
        total: a + 2.0 * b,
        terms: vec![TermReward { weight: 1.0, value: a }, TermReward { weight: 2.0, value: b }],
    };
    values.iter().map(reward).collect()
}

/// The advantages, 0 for a reply that is not trained on.
fn advantages(kind: AdvantageKind, groups: &[Vec<Reward>], epsilon: f64) -> Vec<Vec<f64>> {
    let of_group = |group: Vec<Option<f64>>| group.into_iter().map(Option::unwrap_or_default).collect();
    kind.of_batch(groups, epsilon).into_iter().map(of_group).collect()
}

const KINDS: [AdvantageKind; 8] = [
    AdvantageKind::GroupNormalized,
    AdvantageKind::MeanCentered,
    AdvantageKind::LeaveOneOut,
    AdvantageKind::BatchScaled,
    AdvantageKind::BatchNormalized,
    AdvantageKind::BatchWhitened,
    AdvantageKind::RewardDecoupled,
    AdvantageKind::MaxVariance { keep: 2 },
];

#[test]
fn groups_without_comparison_have_no_advantage() {
    for kind in KINDS {
        assert_eq!(kind.of_batch(&[], 1e-6), Vec::<Vec<Option<f64>>>::new());
        assert_eq!(advantages(kind, &[rewards(&[(3.0, 1.0)])], 0.0), [[0.0]], "{kind:?}");
        // The mean of eight times 0.1 is not 0.1 to the last bit.
        for equal in [rewards(&[(2.0, 1.0); 4]), rewards(&[(0.1, 0.7); 8]), rewards(&[(1.0 / 3.0, 0.1); 7])] {
            let zeros = vec![0.0; equal.len()];
            assert_eq!(advantages(kind, &[equal], 0.0), [zeros], "{kind:?}");
        }
    }
}

#[test]
fn a_group_without_spread_is_left_alone_beside_others_unless_compared_with_the_batch() {
    let groups = [rewards(&[(1.0, 0.5); 3]), rewards(&[(0.0, 1.0), (3.0, -1.0), (-2.0, 0.0)])];
    for kind in KINDS {
        let advantages = advantages(kind, &groups, 1e-6);
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
    let totals: Vec<Vec<f64>> = values.iter().map(|g| g.iter().map(|(a, b)| a + 2.0 * b).collect()).collect();
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
        let (mut i, advantages) = (0, advantages(kind, &groups, eps));
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
                    // Two of a group differ most when they are its least and its greatest.
                    AdvantageKind::MaxVariance { .. } => {
                        let ends = [f64::min, f64::max]
                            .map(|end| rewards.iter().copied().reduce(end).unwrap_or_default());
                        if ends.contains(r) { (r - avg(&ends)) / (std(&ends) + eps) } else { 0.0 }
                    }
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

/// Against every subset of the size.
#[test]
fn the_kept_replies_have_the_greatest_variance() {
    let groups: [&[f64]; 4] = [
        &[0.0, 1.0, 1.0, 1.0, 4.0, -3.0, 2.5],
        &[1.0, 1.0, 1.0, 1.0, 1.0, 4.0],
        &[0.1, 0.2, 0.3, 0.4, 0.5],
        &[3.0, -3.0, 3.0, -3.0, 3.0, -3.0],
    ];
    for rewards in groups {
        for keep in 1..=rewards.len() {
            let kept: Vec<usize> = {
                let advantages = max_variance(rewards, keep, 0.0);
                (0..rewards.len()).filter(|&i| advantages[i].is_some()).collect()
            };
            let std_of =
                |subset: &[usize]| sample_std(&subset.iter().map(|&i| rewards[i]).collect::<Vec<_>>());
            let subsets = (0..1_usize << rewards.len()).filter(|bits| bits.count_ones() as usize == keep);
            let greatest = subsets
                .map(|bits| std_of(&(0..rewards.len()).filter(|i| bits >> i & 1 == 1).collect::<Vec<_>>()))
                .fold(0.0, f64::max);
            assert_eq!(kept.len(), keep);
            assert!((std_of(&kept) - greatest).abs() < 1e-12, "{rewards:?}, {keep}: {kept:?}");
        }
    }
    let [low, middle, high] = max_variance(&[0.0, 1.0, 4.0], 2, 0.0)[..] else { unreachable!() };
    assert!(low < Some(0.0) && middle.is_none() && high > Some(0.0));
    assert_eq!(max_variance(&[1.0, 2.0], 0, 0.0), [None, None]);
}

#[test]
fn scales_are_what_differences_from_the_mean_are_divided_by() {
    let groups: [Vec<f64>; 2] = [vec![1.0, 2.0, 4.5], vec![-1.0, 0.5]];
    let rewards: Vec<Vec<Reward>> = groups.iter().map(|g| g.iter().map(|&r| r.into()).collect()).collect();
    let mut scaled = 0;
    for kind in KINDS {
        let Some(scales) = kind.scales(&groups, 1e-3) else { continue };
        scaled += 1;
        for ((group, scale), advantages) in groups.iter().zip(scales).zip(advantages(kind, &rewards, 1e-3)) {
            for (centered, advantage) in mean_centered(group).into_iter().zip(advantages) {
                assert!((centered / scale - advantage).abs() < 1e-12, "{kind:?}");
            }
        }
    }
    assert_eq!(scaled, 4);
}
