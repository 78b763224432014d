//! A step of DPO: what is packed, that packs make no difference, and that the chosen replies gain.

#![allow(clippy::single_range_in_vec_init, reason = "a reply may have one turn")]

use toolrl_policy::Activations;
use toolrl_testing::device;

use super::*;
use crate::OfflineConfig;
use crate::completions::{Sequence, UsedGroup};
use crate::pair::pairs;
use crate::test_fixtures::{learner, policy};

fn sequence(tokens: &[u32], turns: &[std::ops::Range<usize>]) -> Sequence {
    Sequence { tokens: tokens.to_vec(), turns: turns.to_vec() }
}

/// Three pairs, one of episodes with a given token between two turns.
fn three() -> Vec<Pair> {
    let whole = |tokens: &[u32]| sequence(tokens, &[0..tokens.len()]);
    let pair = |prompt: &[u32], chosen, rejected| Pair { prompt: prompt.to_vec(), chosen, rejected };
    vec![
        pair(&[1, 2, 3], whole(&[10, 11]), whole(&[12])),
        pair(&[4, 5], sequence(&[20, 21, 22, 23], &[0..1, 3..4]), whole(&[24, 25])),
        pair(&[6], whole(&[30]), whole(&[31, 32, 33])),
    ]
}

fn config(batch: usize, micro_tokens: usize) -> DpoConfig {
    DpoConfig {
        offline: OfflineConfig { batch, micro_tokens, ..OfflineConfig::default() },
        ..DpoConfig::default()
    }
}

fn dpo(config: &DpoConfig, references: Vec<[f64; 2]>) -> Dpo<'_> {
    Dpo { config, seed: 1, steps: 100, pairs: three(), references }
}

fn of_start(learner: &Learner, config: &DpoConfig, dir: &Path) -> Vec<[f64; 2]> {
    references((&three(), config), (learner, learner.policy()), (dir, true), &mut ()).unwrap()
}

#[test]
fn a_pair_stands_in_one_pack_with_its_prompt_once() {
    let pairs = three();
    let all: Vec<&Pair> = pairs.iter().collect();
    for (max, expected) in [(1, vec![1, 1, 1]), (14, vec![2, 1]), (1000, vec![3])] {
        let packs = packs(&all, max);
        assert_eq!(packs.iter().map(|pack| pack.members.len() / 2).collect::<Vec<_>>(), expected, "{max}");
        let members: Vec<_> = packs.iter().flat_map(|pack| &pack.members).collect();
        let places: Vec<_> = members.iter().map(|(place, _)| (place.group, place.member)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]);
        assert_eq!(members.iter().map(|(_, len)| *len).collect::<Vec<_>>(), [2, 1, 2, 2, 1, 3]);
    }
    // The prompt, then what precedes each target; the given tokens are read and are no targets.
    let pass = &packs(&all[1..2], 1000)[0].pass;
    assert_eq!(*pass.tokens, [4, 5, 20, 21, 22, 24]);
    assert_eq!(*pass.targets, [20, 23, 24, 25]);
}

/// The first step's policy is the reference: the loss is that of a coin. The chosen replies then gain on the rejected.
#[test]
fn the_chosen_replies_gain_and_packs_and_devices_make_no_difference() {
    let mut all = Vec::new();
    let cases = [(1, Activations::Keep, 1), (1000, Activations::Recompute, 1), (1000, Activations::Keep, 2)];
    for (micro_tokens, activations, devices) in cases {
        let (dir, config) = (tempfile::tempdir().unwrap(), config(3, micro_tokens));
        let learner = crate::test_fixtures::learner_with(1e-2, activations);
        let mut learner = learner.and_on(&vec![device(); devices - 1]);
        let dpo = dpo(&config, of_start(&learner, &config, dir.path()));
        let rows: Vec<_> = (1..=6).map(|step| dpo.step(&mut learner, step).unwrap()).collect();
        let StepDetail::Dpo(first) = &rows[0].detail else { panic!("{rows:?}") };
        let StepDetail::Dpo(last) = &rows[5].detail else { panic!("{rows:?}") };
        assert!(
            (rows[0].loss - std::f64::consts::LN_2).abs() < 1e-5 && first.margin.abs() < 1e-5,
            "{rows:?}"
        );
        assert!(last.accuracy == 1.0 && last.margin > 0.05 && rows[5].loss < rows[0].loss, "{rows:?}");
        assert_eq!((rows[0].tokens_trained, last.pairs, last.epoch), (11, 3, 6.0));
        let margin = last.chosen_reward - last.rejected_reward;
        assert!((margin - last.margin).abs() < 1e-9);
        all.push(rows);
    }
    for (a, b) in all[1..].iter().flat_map(|rows| all[0].iter().zip(rows)) {
        assert!((a.loss - b.loss).abs() < 1e-4 && (a.grad_norm - b.grad_norm).abs() < 1e-3, "{a:?} {b:?}");
    }
}

/// They are those of each reply by itself, and what was written down is what is read, to the bit.
#[test]
fn the_references_are_computed_once() {
    let (dir, learner) = (tempfile::tempdir().unwrap(), learner());
    let found = of_start(&learner, &config(3, 1000), dir.path());
    let apart = of_start(&learner, &config(3, 1), &dir.path().join("other"));
    for (a, b) in found.iter().flatten().zip(apart.iter().flatten()) {
        assert!((a - b).abs() < 1e-4 && *a < 0.0, "{a} {b}");
    }
    let again = |pairs: &[Pair], goes_on| {
        let config = config(3, 1000);
        references((pairs, &config), (&learner, &policy(9)), (dir.path(), goes_on), &mut ())
    };
    assert_eq!(again(&three(), true).unwrap(), found, "of a run that goes on");
    let message = again(&three()[..2], true).unwrap_err().to_string();
    assert!(
        message.contains("reference_logprobs.json") && message.contains("3 pairs where there are 2"),
        "{message}"
    );
    assert_ne!(again(&three(), false).unwrap(), found, "of another policy");
}

#[test]
fn a_pair_that_is_too_long_loses_its_prompts_beginning_first() {
    use crate::OverlongPrompts::{Cut, LeaveOut, Refuse};
    let prompt =
        std::sync::Arc::new(toolrl_rollout::Prompt { tokens: vec![1, 2, 3, 4], ..Default::default() });
    let made = |overlong_prompts, max_tokens| {
        let group = UsedGroup {
            id: "a".into(),
            prompt: prompt.clone(),
            best: sequence(&[7, 8], &[0..2]),
            worst: sequence(&[9, 10, 11], &[0..1, 2..3]),
        };
        let config = OfflineConfig { overlong_prompts, max_tokens, ..OfflineConfig::default() };
        pairs(&config, vec![group], 100)
    };
    assert_eq!(made(Refuse, 7).unwrap().0[0].prompt, [1, 2, 3, 4]);
    assert!(matches!(made(Refuse, 6), Err(TrainError::Overlong { tokens: 7, .. })));
    assert!(matches!(made(LeaveOut, 6), Err(TrainError::NoTasks { .. })));
    let (cut, counts) = made(Cut, 5).unwrap();
    assert_eq!((&cut[0].prompt, counts.cut), (&vec![3, 4], 1));
    let (cut, _) = made(Cut, 3).unwrap();
    assert_eq!((&cut[0].prompt, &cut[0].rejected), (&vec![4], &sequence(&[9, 10], &[0..1])));
}
