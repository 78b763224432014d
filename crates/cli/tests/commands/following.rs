//! Runs whose reference and coefficients follow the policy, over several passes a step: cut off, they go on the same.

use crate::resume::{cut_off, killed_runs_end_alike, settings};
use crate::{toolrl, train, untimed_metrics};

/// Passes in orders of their own, a reference that follows, a coefficient that follows a target: cut off before and after
/// the reference moved, of both methods, of adapters and of weights in bf16.
#[test]
fn what_follows_the_policy_goes_on_exactly() {
    let cases: [(&str, &[&str]); 4] = [
        ("tiny-grpo", &["train.prompts=3", "train.reference={ every = 3, moving_average = 0.6 }"]),
        (
            "tiny-ppo",
            &["train.prompts=4", "train.group_size=1", "train.reference={ every = 3, moving_average = 0.6 }"],
        ),
        ("tiny-grpo", &["train.prompts=2", "train.lora.rank=2", "train.reference={ every = 2 }"]),
        (
            "tiny-grpo",
            &["train.prompts=2", "precision=bf16", "train.reference={ every = 2, moving_average = 0.5 }"],
        ),
    ];
    for (recipe, own) in cases {
        let dir = tempfile::tempdir().unwrap();
        let common = [
            "train.steps=4",
            "train.updates=2",
            "train.passes=2",
            "train.pass_order=shuffled",
            "train.kl_penalty={ coef = 0.05, target = 0.5, horizon = 20 }",
            "train.loss.kl={ coef = 0.02, target = 0.5, horizon = 20 }",
            "train.loss.dual_clip=3",
            "train.optimizer.lr=1e-3",
            "train.checkpoint_every=1",
            "train.checkpoint_keep=4",
            "sampling.max_new_tokens=32",
            "data.world.train=32",
            "data.world.held_out=4",
            "eval.limit=0",
            "slots=8",
        ];
        let settings = [&common[..], own].concat();
        let run = dir.path().join("run");
        train(dir.path(), &[recipe, "--run-dir", "run"], &settings).ok();
        let file = if own.iter().any(|s| s.contains("lora")) {
            "adapter_model.safetensors"
        } else {
            "model.safetensors"
        };
        let weights = || std::fs::read(run.join("final").join(file)).unwrap();
        let whole = (untimed_metrics(&run), weights());
        let coefs: Vec<f64> =
            whole.0.iter().map(|row| row["adaptive_kl"]["loss"]["coef"].as_f64().unwrap()).collect();
        assert!(coefs.windows(2).all(|pair| pair[0] != pair[1]), "{coefs:?}");
        for step in ["3", "1"] {
            cut_off(&run);
            toolrl(dir.path(), &["train", "--resume", "run", "--from-step", step]).ok();
            assert_eq!(untimed_metrics(&run), whole.0, "{recipe} {own:?} from {step}");
            assert!(weights() == whole.1, "{recipe} {own:?} from {step}");
        }
    }
}

/// Such a run is killed at any moment, and goes on.
#[test]
fn a_run_that_follows_its_policy_is_killed_again_and_again() {
    let own = [
        "train.passes=2",
        "train.pass_order=shuffled",
        "train.reference={ every = 2, moving_average = 0.6 }",
        "train.kl_penalty={ coef = 0.05, target = 0.5, horizon = 20 }",
        "train.loss.kl={ coef = 0.02, target = 0.5, horizon = 20 }",
        "train.optimizer.lr=1e-3",
        "train.checkpoint_every=1",
        "sampling.max_new_tokens=24",
    ];
    let settings = [&settings()[..], &own].concat();
    killed_runs_end_alike(&settings, 8);
}
