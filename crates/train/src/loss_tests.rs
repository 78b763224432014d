//! Whose experience is whose, however a batch is packed.

use super::*;
use crate::pack::{Member, PackGroup, pack};

/// Members of two groups by group and member, each with its advantage and the old log-probabilities of its tokens; they
/// are packed out of this order.
const MEMBERS: [(usize, usize, f64, &[f32]); 3] =
    [(0, 0, 1.0, &[-0.5, -1.5]), (0, 1, -2.0, &[-0.25, -0.75, -2.0]), (1, 0, 0.5, &[-1.0])];

fn member(place: Place) -> Experience<'static> {
    let of = MEMBERS.iter().find(|(group, member, ..)| (*group, *member) == (place.group, place.member));
    let (_, _, advantage, old_logp) = *of.unwrap();
    Experience { old_logp, sampler_logp: None, ref_logp: None, advantage: advantage.into() }
}

fn packs(max_tokens: usize) -> Vec<Pack> {
    let place = |group, member| Place { group, member };
    let of_first = vec![Member::whole(place(0, 1), &[6, 7, 8]), Member::whole(place(0, 0), &[9, 10])];
    let first = PackGroup { prompt: &[3, 4], members: of_first };
    pack(&[first, PackGroup { prompt: &[5], members: vec![Member::whole(place(1, 0), &[11])] }], max_tokens)
}

fn whole() -> BatchExtent {
    extent(MEMBERS.iter().map(|&(group, of, ..)| member(Place { group, member: of })))
}

/// The present log-probability of a member's token: a little off the old one, at a ratio within the clip.
fn now(old: f32, token: usize) -> f32 {
    old + 0.01 * token as f32
}

#[test]
fn an_extent_is_all_members_and_tokens() {
    assert_eq!(whole(), BatchExtent { sequences: 3, tokens: 6 });
    assert_eq!(extent(std::iter::empty()), BatchExtent { sequences: 0, tokens: 0 });
}

/// By the formula of the token mean: each token's derivative is `-advantage * ratio / tokens`, and that of its entropy
/// `-coef / tokens`, in one pack or in three.
#[test]
fn a_split_batch_has_each_members_own_derivatives_and_the_loss_of_the_whole() {
    let config = LossConfig { entropy_coef: 0.3, ..LossConfig::default() };
    for (max_tokens, count) in [(usize::MAX, 1), (1, 3)] {
        let packs = packs(max_tokens);
        assert_eq!(packs.len(), count);
        let (mut total, mut expected, mut seen) = (0.0, 0.0, Vec::new());
        for pack in &packs {
            let tokens = |&(place, _): &(Place, usize)| {
                member(place).old_logp.iter().enumerate().map(|(t, &old)| now(old, t)).collect::<Vec<f32>>()
            };
            let logp: Vec<f32> = pack.members.iter().flat_map(tokens).collect();
            let entropy: Vec<f32> = (0..logp.len()).map(|i| 1.0 + i as f32).collect();
            let given = |place| Some(member(place));
            let output: PackLoss = loss(pack, (&logp, &entropy), given, whole(), &config).unwrap().into();
            total += output.loss;
            expected -= 0.3 * entropy.iter().map(|&e| f64::from(e)).sum::<f64>() / 6.0;
            assert!(output.derivatives.by_entropy.iter().all(|d| (d + 0.05).abs() < 1e-7));
            assert_eq!(output.derivatives.by_entropy.len(), logp.len());
            for (place, found) in pack.split(&output.derivatives.by_logp) {
                let of = MEMBERS.iter().find(|m| (m.0, m.1) == (place.group, place.member)).unwrap();
                let by_hand = (0..found.len()).map(|t| -of.2 * (0.01 * t as f64).exp() / 6.0);
                for (found, by_hand) in found.iter().zip(by_hand) {
                    assert!((f64::from(*found) - by_hand).abs() < 1e-6, "{place:?}: {found} for {by_hand}");
                    expected += by_hand;
                }
                seen.push((place.group, place.member, found.len()));
            }
        }
        assert!((total - expected).abs() < 1e-6, "{total}, not {expected}");
        assert_eq!(seen, [(0, 1, 3), (0, 0, 2), (1, 0, 1)]);
    }
}
