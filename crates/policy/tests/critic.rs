//! The critic: its values, their gradients, and its files.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::process::Command;

use burn::tensor::Device;
use toolrl_policy::{
    Activations, Critic, Generation, Heads, Ids, LoraConfig, ModelConfig, Packing, ParameterGradients, Pass,
    Policy, Precision,
};

const TOKENS: [u32; 9] = [3, 4, 5, 6, 7, 8, 9, 10, 11];

fn policy() -> Policy {
    let config = ModelConfig::tiny(32, 16, 2, Heads { query: 2, kv: 1, dim: 8 }, 0);
    Policy::fresh(config, Generation::stopping_at(vec![0]), 1, &Device::flex())
}

/// A critic whose values are not all the same.
fn critic() -> Critic {
    let mut critic = Critic::of(&policy());
    let (last, mut n) = (critic.parameters().len() - 2, 0);
    critic.update(|i, values| {
        for value in values.iter_mut().filter(|_| i >= last) {
            n += 1;
            *value = f32::sin(n as f32);
        }
    });
    critic
}

fn pass() -> Pass {
    let mut packing = Packing::new();
    let prompt = packing.push(4, None);
    packing.push(3, Some(prompt));
    packing.push(2, Some(prompt));
    Pass {
        tokens: Ids::new(TOKENS.to_vec()),
        packing: packing.into(),
        rows: vec![3, 4, 5, 6, 3, 7, 8].into(),
        targets: Vec::new().into(),
    }
}

/// Gradients of half the squared values' sum.
fn gradients(critic: &Critic, activations: Activations) -> Vec<Vec<f32>> {
    let mut sum = ParameterGradients::default();
    critic
        .add_gradients(&pass(), activations, &mut sum, |values| Ok::<_, Infallible>(values.to_vec()))
        .unwrap();
    sum.into_values()
}

#[test]
fn it_begins_at_zero_with_the_policys_weights() {
    let (policy, critic) = (policy(), Critic::of(&policy()));
    assert_eq!(critic.values(&pass()), [0.0; 7]);
    let (of_policy, of_critic) = (policy.parameters(), critic.parameters());
    assert_eq!(of_critic[..of_policy.len()], of_policy);
    let names: Vec<_> = of_critic[of_policy.len()..].iter().map(|p| (&*p.name, p.shape.clone())).collect();
    assert_eq!(names, [("score.weight", vec![1, 16]), ("score.bias", vec![1])]);
    let adapted = policy.clone().with_lora(&LoraConfig::default(), 1).unwrap();
    assert_eq!(Critic::of(&adapted).parameters().len(), of_critic.len(), "adapters are merged");
}

#[test]
fn gradients_are_the_differences_of_the_loss() {
    let critic = critic();
    let loss =
        |critic: &Critic| critic.values(&pass()).iter().map(|&v| f64::from(v).powi(2) / 2.0).sum::<f64>();
    let gradients = gradients(&critic, Activations::Keep);
    assert_eq!(gradients.len(), critic.parameters().len());
    for (parameter, gradient) in gradients.iter().enumerate() {
        let at = gradient.len() / 3;
        let moved = |by: f32| {
            let mut critic = critic.clone();
            critic.update(|i, values| {
                if i == parameter {
                    values[at] += by;
                }
            });
            loss(&critic)
        };
        let step = 1e-2;
        let difference = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        let got = f64::from(gradient[at]);
        assert!(
            (got - difference).abs() < 3e-3 * (1.0 + difference.abs()),
            "{parameter}: {got} {difference}"
        );
    }
}

#[test]
fn computing_layers_again_gives_the_same_gradients() {
    assert_eq!(gradients(&critic(), Activations::Keep), gradients(&critic(), Activations::Recompute));
}

#[test]
fn its_directory_is_read_again_and_is_no_policy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("critic");
    let critic = critic();
    critic.save(&path, |_| Ok::<_, io::Error>(())).unwrap();
    let again = Critic::load(&path, Precision::F32, &Device::flex()).unwrap();
    assert_eq!(again.parameters(), critic.parameters());
    assert_eq!(again.values(&pass()), critic.values(&pass()));
    let narrow = Critic::load(&path, Precision::Bf16, &Device::flex()).unwrap();
    for (a, b) in narrow.values(&pass()).iter().zip(critic.values(&pass())) {
        assert!((a - b).abs() < 0.05, "{a} {b}");
    }
    let message = Policy::load(&path, Precision::F32, &Device::flex()).unwrap_err().to_string();
    assert!(message.contains("\"LlamaForTokenClassification\" is not supported"), "{message}");

    let start = dir.path().join("policy");
    policy().save(&start, |_| Ok::<_, io::Error>(())).unwrap();
    let fresh = Critic::load(&start, Precision::F32, &Device::flex()).unwrap();
    assert_eq!(fresh.parameters(), Critic::of(&policy()).parameters());
    let missing = Critic::load(&dir.path().join("nowhere"), Precision::F32, &Device::flex());
    assert!(missing.unwrap_err().to_string().contains("nowhere"));
}

/// What `critic_values.py` exits with where Python has no transformers.
const NO_TRANSFORMERS: i32 = 77;

#[test]
fn transformers_computes_the_same_values() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/critic_values.py");
    let python = std::env::var_os("TOOLRL_PYTHON").unwrap_or_else(|| "python3".into());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("critic");
    let critic = critic();
    critic.save(&path, |_| Ok::<_, io::Error>(())).unwrap();
    let run = Command::new(&python).arg(&script).arg(&path).args(TOKENS.map(|t| t.to_string())).output();
    match run.as_ref().map(|run| run.status.code()) {
        Ok(Some(0)) => {}
        Err(_) | Ok(Some(NO_TRANSFORMERS)) => {
            eprintln!("skipped: {} has no transformers", python.display());
            return;
        }
        _ => panic!("{run:?}"),
    }
    let expected: Vec<f32> = serde_json::from_slice(&run.unwrap().stdout).unwrap();
    let pass = Pass {
        packing: Packing::single(TOKENS.len()).into(),
        rows: Ids::new((0..TOKENS.len() as u32).collect()),
        ..pass()
    };
    for (a, b) in critic.values(&pass).iter().zip(&expected) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}
