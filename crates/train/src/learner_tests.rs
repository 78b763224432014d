//! What an update is given, what it changes, and what one at fault leaves as it was.

use std::path::Path;

use toolrl_policy::{Generation, Heads, LoraConfig, ModelConfig};
use toolrl_testing::device;

use super::*;
use crate::pack::{Member, PackGroup, Place, pack};
use crate::{GuardConfig, OnFault};

fn policy() -> Policy {
    let config = ModelConfig::tiny(31, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    Policy::fresh(config, Generation::stopping_at(vec![0]), 3, &device())
}

fn learner_of(policy: Policy, temperature: f32, guards: GuardConfig, dir: &Path) -> Learner {
    let config = OptimizerConfig::default();
    Learner::new(policy, config, Activations::Keep, temperature, Guard::new(guards, dir))
}

/// One whose guard leaves out what is at fault.
fn learner(dir: &Path) -> Learner {
    let guards = GuardConfig { on_fault: OnFault::Skip, grad_spike: Some(4.0), ..GuardConfig::default() };
    learner_of(policy(), 1.0, guards, dir)
}

/// Groups of a prompt with two replies, and of another with one.
fn groups() -> [PackGroup<'static>; 2] {
    let member = |group, member, tokens| Member::whole(Place { group, member }, tokens);
    [
        PackGroup { prompt: &[3, 4, 5], members: vec![member(0, 0, &[6, 7, 8]), member(0, 1, &[9, 0])] },
        PackGroup { prompt: &[10, 11], members: vec![member(1, 0, &[12, 13, 14, 0])] },
    ]
}

/// A pack of each.
fn packs() -> Vec<Pack> {
    pack(&groups(), 6)
}

/// A loss that pushes every token up.
fn up(logp: &[f32]) -> PackLoss {
    let derivatives = Derivatives { by_logp: vec![-0.1; logp.len()], by_entropy: Vec::new() };
    PackLoss { loss: -0.1 * logp.iter().map(|&l| f64::from(l)).sum::<f64>(), derivatives }
}

#[test]
fn updates_add_up_their_packs() {
    let mut learner = learner(Path::new(""));
    let mut seen = 0.0;
    let mut update = |learner: &mut Learner, step| {
        let loss = |_: &Pack, logp: &[f32], _: &[f32]| {
            seen += up(logp).loss;
            Ok(up(logp))
        };
        learner.update(step, &packs(), 1e-3, loss).unwrap()
    };
    let first = update(&mut learner, 1);
    assert!(first.tokens == 9 && first.grad_norm > 0.0 && !first.skipped, "{first:?}");
    let second = update(&mut learner, 2);
    assert!(second.loss < first.loss && (first.loss + second.loss - seen).abs() < 1e-12, "{second:?}");
    let state = learner.state();
    assert_eq!((state.updates, &state.norms), (2, &vec![first.grad_norm, second.grad_norm]));
    // A step without an update tells the same weights as before it, in a run that goes on too.
    let mut again = self::learner(Path::new(""));
    again.restore(state).unwrap();
    assert_eq!((again.weights().is_some(), again.weights()), (true, learner.weights()));
    // One pack or two: the gradient is the batch's.
    let mut whole = self::learner(Path::new(""));
    let packs = pack(&groups(), usize::MAX);
    assert_eq!(packs.len(), 1);
    let one = whole.update(1, &packs, 1e-3, |_, logp, _| Ok(up(logp))).unwrap();
    assert!((one.grad_norm - first.grad_norm).abs() < 1e-5 * first.grad_norm, "{one:?} {first:?}");
}

#[test]
fn an_update_of_nothing_is_none() {
    let mut learner = learner(Path::new(""));
    let before = learner.state();
    let update = learner.update(1, &[], 1e-3, |_, logp, _| Ok(up(logp))).unwrap();
    assert!((update.tokens, update.grad_norm, update.skipped) == (0, 0.0, false), "{update:?}");
    assert!(learner.state() == before && learner.weights().is_none());
}

/// The loss is given, and a reference is asked for, log-probabilities of the tempered policy.
#[test]
fn log_probabilities_are_those_of_the_tempered_policy() {
    let packs = packs();
    for (temperature, inverse) in [(0.5, 2.0), (1.0, 1.0), (0.0, 1.0)] {
        let mut learner = learner_of(policy(), temperature, GuardConfig::default(), Path::new(""));
        let mut given = Vec::new();
        learner
            .update(1, &packs[..1], 0.0, |_, logp, _| {
                given = logp.to_vec();
                Ok(up(logp))
            })
            .unwrap();
        let pass = &packs[0].pass;
        let hidden = policy().decoder().hidden(pass.tokens.clone(), &pass.packing);
        let logits: Vec<f32> = floats(policy().decoder().logits(hidden));
        let expected = pass.rows.iter().zip(&*pass.targets).map(|(&row, &target)| {
            let row = logits[31 * row as usize..][..31].iter().map(|&l| f64::from(l) * inverse);
            let row: Vec<f64> = row.collect();
            row[target as usize] - row.iter().map(|l| l.exp()).sum::<f64>().ln()
        });
        let reference = learner.logprobs_under(&policy(), &packs[0]);
        assert_eq!(given.len(), 5);
        for ((given, reference), expected) in given.iter().zip(&reference).zip(expected) {
            assert!((f64::from(*given) - expected).abs() < 1e-5, "{temperature}: {given} for {expected}");
            assert!((given - reference).abs() < 1e-6, "{temperature}: {given} and {reference}");
        }
    }
}

/// What an adapter drops depends on the run, the update and the pack, and on nothing else.
#[test]
fn each_pack_of_each_update_has_its_own_dropout() {
    let lora = LoraConfig { dropout: 0.5, ..LoraConfig::default() };
    let mut adapted = policy().with_lora(&lora, 2).unwrap();
    adapted.update(|_, values| {
        values.iter_mut().enumerate().for_each(|(i, v)| *v += 0.05 * f32::sin(i as f32));
    });
    let learner = |seed| learner_of(adapted.clone(), 1.0, GuardConfig::default(), Path::new("")).seeded(seed);
    let twice = [packs()[0].clone(), packs()[0].clone()];
    let of_update = |learner: &mut Learner| {
        let mut given = Vec::new();
        let loss = |_: &Pack, logp: &[f32], _: &[f32]| {
            given.push(logp.to_vec());
            Ok(up(logp))
        };
        // Two updates of one step are apart too.
        learner.update(1, &twice, 0.0, loss).unwrap();
        given
    };
    let (mut run, mut again, mut other) = (learner(1), learner(1), learner(2));
    let first = of_update(&mut run);
    assert_eq!(first, of_update(&mut again));
    let (second, elsewhere) = (of_update(&mut run), of_update(&mut other));
    assert!(first[0] != first[1] && first[0] != second[0] && first[0] != elsewhere[0]);
}

#[test]
fn a_faulty_update_is_left_out_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut learner = learner(dir.path());
    learner.update(1, &packs(), 1e-3, |_, logp, _| Ok(up(logp))).unwrap();
    let (before, weights) = (learner.state(), learner.weights());
    let not_finite = |logp: &[f32]| {
        let source = toolrl_grpo::GrpoError::Missing { what: "entropy", sequence: logp.len() };
        Err(TrainError::Loss { step: 2, source })
    };
    let no_number = |logp: &[f32]| {
        let mut loss = up(logp);
        loss.derivatives.by_logp[0] = f32::NAN;
        Ok(loss)
    };
    type Loss<'l> = &'l dyn Fn(&[f32]) -> Result<PackLoss, TrainError>;
    let faults: [Loss<'_>; 2] = [&not_finite, &no_number];
    for (step, fault) in (2..).zip(faults) {
        let update = learner.update(step, &packs(), 1e-3, |_, logp, _| fault(logp)).unwrap();
        assert!(update.skipped && update.tokens == 0 && update.loss == 0.0, "{update:?}");
        assert!(dir.path().join(format!("faults/step-{step:05}.json")).exists());
        assert!(learner.state() == before && learner.weights() == weights, "{step}");
    }
    // What is no fault of the numbers ends the update.
    let ended = learner.update(4, &packs(), 1e-3, |_, _, _| Err(TrainError::Recipe("no".to_owned())));
    assert!(matches!(ended, Err(TrainError::Recipe(_))), "{ended:?}");
    assert!(!dir.path().join("faults/step-00004.json").exists());
    let update = learner.update(5, &packs(), 1e-3, |_, logp, _| Ok(up(logp))).unwrap();
    assert!(!update.skipped && learner.weights() != weights, "{update:?}");
}

#[test]
fn a_spike_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut learner = learner(dir.path());
    let norm = learner.update(1, &packs(), 0.0, |_, logp, _| Ok(up(logp))).unwrap().grad_norm;
    for (share, skipped) in [(0.3, false), (0.2, true)] {
        let state = State { norms: vec![share * norm; 32], ..learner.state() };
        learner.restore(state.clone()).unwrap();
        let update = learner.update(2, &packs(), 1e-3, |_, logp, _| Ok(up(logp))).unwrap();
        assert_eq!(update.skipped, skipped, "a norm of {norm} after norms of {share} of it");
        assert_eq!(learner.state() == state, skipped);
    }
}

#[test]
fn an_update_without_effect_is_told() {
    let mut learner = learner(Path::new(""));
    let mut update = |lr| learner.update(1, &packs(), lr, |_, logp, _| Ok(up(logp)));
    // The first update has nothing to be compared with, and one without a rate should change nothing.
    assert!(update(1e-30).is_ok() && update(0.0).is_ok());
    let unchanged = update(1e-30);
    assert!(matches!(unchanged, Err(TrainError::Unchanged { step: 1, norm }) if norm > 0.0), "{unchanged:?}");
    assert!(update(1e-3).is_ok());
}

#[test]
fn no_two_passes_drop_the_same() {
    let seeds: std::collections::BTreeSet<u64> = (0..3)
        .flat_map(|run| (0..20).flat_map(move |update| (0..5).map(move |pack| pass_seed(run, update, pack))))
        .collect();
    assert_eq!(seeds.len(), 3 * 20 * 5);
}
