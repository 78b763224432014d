//! What a member's reward is after what the run takes off, and what of it an update sees.

use toolrl_grpo::{KlEstimator, KlPenalty};

use super::*;
use crate::Overlong;
use crate::test_fixtures::{cut_off, measured, scored, skipped};

/// A penalty of half of `old - reference`, and one of 2 that grows over the last two of four tokens.
fn costs() -> RlConfig {
    RlConfig {
        kl_penalty: Some(KlPenalty { coef: 0.5, estimator: KlEstimator::K1, ..KlPenalty::default() }),
        overlong: Some(Overlong { buffer: 2, penalty: 2.0 }),
        ..RlConfig::default()
    }
}

/// Log-probabilities under a reference of a member whose own are -0.25, -0.5 and -0.75: the differences are 0.5, -0.25
/// and 1.
fn reference() -> Option<Vec<f32>> {
    Some(vec![-0.75, -0.25, -1.75])
}

#[test]
fn divergence_and_length_are_taken_off_the_reward() {
    let member = Measured::new(scored(3.0, &[3]), None, reference(), &costs(), 4);
    // The tokens cost 0.25, -0.125 and 0.5; the third of four is one into a buffer of two: half of 2.
    let reward = member.reward();
    let terms = [(0.5, -1.25), (2.0, -0.5)].map(|(weight, value)| TermReward { weight, value });
    assert_eq!((reward.total, &reward.terms[..]), (3.0 - 0.625 - 1.0, &terms[..]));
    assert_eq!(member.token_rewards(), [-0.25, 0.125, -0.5 + 3.0 - 1.0]);
    assert_eq!(member.token_rewards().iter().sum::<f64>(), reward.total);
    let components = [("kl_penalty", -0.625), ("overlong", -1.0)].map(|(name, v)| (name.to_owned(), v));
    assert_eq!(member.scored.components, components.into());
    assert_eq!(member.scored.reward, 3.0, "what is reported is the rubric's");
}

#[test]
fn the_trainers_log_probabilities_stand_before_the_samplers() {
    let old = Some(vec![-0.75, -0.25, -1.25]);
    let member = Measured::new(scored(3.0, &[3]), old, reference(), &costs(), 100);
    // Differences from the reference of 0, 0 and 0.5.
    assert_eq!(member.token_rewards(), [0.0, 0.0, -0.25 + 3.0]);
    assert_eq!(member.divergence(KlEstimator::K1), Some(0.5));
    assert_eq!(member.divergence(KlEstimator::K2), Some(0.125));
}

#[test]
fn without_costs_the_last_token_has_the_reward() {
    // A reference that no penalty asks for costs nothing.
    let member = Measured::new(scored(3.0, &[2, 1]), None, reference(), &RlConfig::default(), 4);
    assert_eq!((member.reward(), member.token_rewards()), (3.0.into(), vec![0.0, 0.0, 3.0]));
    assert!(member.scored.components.is_empty());
}

#[test]
fn the_last_turn_alone_may_be_overlong() {
    let overlong = |turns: &[usize]| {
        let config = RlConfig { kl_penalty: None, ..costs() };
        Measured::new(scored(0.0, turns), None, None, &config, 4).reward().total
    };
    assert_eq!([overlong(&[4]), overlong(&[4, 1]), overlong(&[1, 4])], [-2.0, 0.0, -2.0]);
}

#[test]
fn truncated_and_skipped_replies_are_left_out() {
    let cases = [
        (scored(1.0, &[2]), Truncated::Mask, false),
        (cut_off(scored(1.0, &[2])), Truncated::Keep, false),
        (cut_off(scored(1.0, &[2])), Truncated::Mask, true),
        (skipped(scored(1.0, &[2])), Truncated::Keep, true),
    ];
    for (member, truncated, left_out) in cases {
        let credited = measured(member).credited(Credit::Reply(0.5), truncated);
        assert_eq!(credited.credit == Credit::LeftOut, left_out, "{credited:?}");
        assert_eq!(credited.experience().is_none(), left_out, "{credited:?}");
    }
}

#[test]
fn an_update_sees_the_policies_that_a_member_was_measured_under() {
    let (old, reference) = ([-0.5, -0.5, -0.5], reference());
    let sampler = [-0.25, -0.5, -0.75];
    for (measured_old, expected_old, expected_sampler) in
        [(None, &sampler, None), (Some(old.to_vec()), &old, Some(&sampler[..]))]
    {
        let config = RlConfig::default();
        let member = Measured::new(scored(1.0, &[3]), measured_old, reference.clone(), &config, 4);
        let credited = member.credited(Credit::Reply(0.5), Truncated::Keep);
        let seen = credited.experience().unwrap();
        assert_eq!((seen.old_logp, seen.sampler_logp), (&expected_old[..], expected_sampler));
        assert_eq!((seen.ref_logp, seen.advantage), (reference.as_deref(), Advantage::Reply(0.5)));
    }
}

#[test]
fn a_members_advantage_is_its_tokens_mean() {
    let cases = [
        (Credit::LeftOut, false, 0.0),
        (Credit::Reply(0.0), false, 0.0),
        (Credit::Reply(-2.0), true, -2.0),
        (Credit::Tokens(vec![0.0; 3]), false, 0.0),
        (Credit::Tokens(vec![1.0, -1.0, 3.0]), true, 1.0),
        (Credit::Tokens(vec![1.0, -1.0, 0.0]), true, 0.0),
    ];
    for (credit, has, mean) in cases {
        let credited = measured(scored(1.0, &[3])).credited(credit, Truncated::Keep);
        assert_eq!((credited.has_advantage(), credited.mean_advantage()), (has, mean), "{credited:?}");
    }
}

/// GDPO normalises each term by itself, which cancels a factor of its values: a coefficient has to be a weight.
#[test]
fn a_costs_coefficient_counts_where_terms_are_normalised_by_themselves() {
    let advantages = |coef: f64| {
        let config = RlConfig {
            kl_penalty: Some(KlPenalty { coef, estimator: KlEstimator::K1, ..KlPenalty::default() }),
            ..RlConfig::default()
        };
        let member = |reward: f64, first: f32| {
            let reference = Some(vec![first, -0.5, -0.75]);
            let mut scored = scored(reward, &[3]);
            scored.terms = vec![TermReward { weight: 1.0, value: reward }];
            Measured::new(scored, None, reference, &config, 4).reward()
        };
        let group = vec![member(1.0, -0.5), member(2.0, -1.0), member(0.0, -0.25)];
        toolrl_grpo::reward_decoupled(&[group], 1e-6).concat()
    };
    // Ranks by reward at a small coefficient; by the divergence, which the second has most of, at a great one.
    let (small, great) = (advantages(0.001), advantages(10.0));
    assert!(small[1] > small[0] && small[0] > small[2], "{small:?}");
    assert!(great[1] < great[0] && great[0] < great[2], "{great:?}");
    let none = advantages(0.0);
    assert!(none.iter().zip(&small).all(|(a, b)| (a - b).abs() < 1e-2), "{none:?}");
}
