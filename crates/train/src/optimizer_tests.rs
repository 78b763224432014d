//! Steps on the CPU against the published algorithm in f64, and what a refused step leaves.

use toolrl_grpo::{Decay, LrSchedule};

use super::*;
use crate::moments::MomentStorage;

struct Model([Vec<f32>; 2]);

impl Optimized for Model {
    fn update(&mut self, mut change: impl FnMut(usize, &mut [f32])) {
        self.0.iter_mut().enumerate().for_each(|(i, values)| change(i, values));
    }

    fn adamw(&mut self, _: Vec<Tensor<1>>, _: &mut DeviceMoments, _: &AdamWStep, _: f32) {}

    fn checksums(&self) -> Option<Vec<u32>> {
        None
    }
}

/// Parameters of more parts than one, and of less.
const LENGTHS: [usize; 2] = [2 * PART + 5, 3];

fn model() -> Model {
    Model(LENGTHS.map(|len| (0..len).map(|i| (i % 17) as f32 * 0.1 - 0.8).collect()))
}

fn gradients(step: usize) -> [Vec<f32>; 2] {
    LENGTHS.map(|len| (0..len).map(|i| ((i * 7 + step * 5) % 23) as f32 * 0.01 - 0.1).collect())
}

/// A step's norm and checksum.
fn step(
    optimizer: &mut Optimizer,
    gradients: &[Vec<f32>],
    lr: f64,
    limit: f64,
    model: &mut Model,
) -> Result<(f64, u32), Refused> {
    let gradients = Gradients::Numbers(gradients.to_vec());
    let norm = gradients.norm(limit)?;
    Ok((norm, optimizer.step(gradients, norm, lr, model)))
}

fn optimizer() -> Optimizer {
    let adamw = AdamWConfig { beta1: 0.8, beta2: 0.9, epsilon: 1e-6, weight_decay: 0.2 };
    Optimizer::new(OptimizerConfig { adamw, max_grad_norm: 2.0, ..OptimizerConfig::default() })
}

#[test]
fn steps_follow_the_published_algorithm_on_clipped_gradients() {
    let (mut optimizer, mut model, lr) = (optimizer(), model(), 1e-2);
    let mut expected: Vec<[f64; 3]> = model.0.concat().iter().map(|&p| [f64::from(p), 0.0, 0.0]).collect();
    for t in 1..=3 {
        let gradients = gradients(t);
        let flat: Vec<f64> = gradients.concat().into_iter().map(f64::from).collect();
        let norm = flat.iter().map(|g| g * g).sum::<f64>().sqrt();
        assert!(norm > 10.0, "the limit on the norm matters");
        for ([p, m, v], g) in expected.iter_mut().zip(&flat) {
            let g = g * 2.0 / norm;
            (*m, *v) = (0.8 * *m + 0.2 * g, 0.9 * *v + 0.1 * g * g);
            let (m_hat, v_hat) = (*m / (1.0 - 0.8f64.powi(t as i32)), *v / (1.0 - 0.9f64.powi(t as i32)));
            *p -= lr * 0.2 * *p + lr * m_hat / (v_hat.sqrt() + 1e-6);
        }
        let (found, _) = step(&mut optimizer, &gradients, lr, f64::INFINITY, &mut model).unwrap();
        assert!((found - norm).abs() < 1e-5 * norm, "{found} for {norm}");
    }
    for (found, [p, ..]) in model.0.concat().iter().zip(&expected) {
        assert!((f64::from(*found) - p).abs() < 1e-5, "{found} for {p}");
    }
    assert_eq!(optimizer.state().1, 3);
}

/// The same steps with moments in 8 bits: near those in f32, and exact in everything else.
#[test]
fn moments_in_8_bits_follow_those_in_f32() {
    let in_8_bits = || {
        let mut optimizer = optimizer();
        optimizer.config.moments = MomentStorage::EightBit;
        optimizer
    };
    let (mut full, mut model_full) = (optimizer(), model());
    let (mut first, mut model) = (in_8_bits(), model());
    for t in 1..=3 {
        step(&mut full, &gradients(t), 1e-2, f64::INFINITY, &mut model_full).unwrap();
        step(&mut first, &gradients(t), 1e-2, f64::INFINITY, &mut model).unwrap();
    }
    let farthest = model.0.concat().into_iter().zip(model_full.0.concat()).map(|(a, b)| (a - b).abs());
    let farthest = farthest.fold(0.0, f32::max);
    assert!(farthest > 0.0 && farthest < 3e-3, "{farthest} after steps of 0.01");
    assert_eq!(model.0[1], model_full.0[1], "a small tensor's moments are in f32");
    let (moments, updates) = first.state();
    assert!(matches!(moments[..], [Moments::Blockwise(..), Moments::Full(..)]));
    let (mut second, mut copy) = (in_8_bits(), Model(model.0.clone()));
    second.restore(moments, updates);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let a = step(&mut first, &gradients(4), 1e-2, f64::INFINITY, &mut model);
    let b = pool.install(|| step(&mut second, &gradients(4), 1e-2, f64::INFINITY, &mut copy));
    assert!(a == b && model.0 == copy.0 && first.state() == second.state());
}

#[test]
fn a_refused_step_changes_nothing() {
    let (mut optimizer, mut model) = (optimizer(), model());
    let (norm, _) = step(&mut optimizer, &gradients(1), 1e-2, f64::INFINITY, &mut model).unwrap();
    let (before, values) = (optimizer.state(), model.0.clone());
    let mut nan = gradients(1);
    nan[1][2] = f32::NAN;
    let refused = step(&mut optimizer, &nan, 1e-2, f64::INFINITY, &mut model);
    assert!(matches!(refused, Err(Refused::NotFinite(norm)) if norm.is_nan()), "{refused:?}");
    let refused = step(&mut optimizer, &gradients(1), 1e-2, 0.9 * norm, &mut model);
    assert_eq!(refused, Err(Refused::AboveLimit(norm)));
    assert_eq!((optimizer.state(), model.0), (before, values));
}

#[test]
fn a_step_does_not_depend_on_the_number_of_threads() {
    let of_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let (mut optimizer, mut model) = (optimizer(), model());
        let stepped =
            pool.install(|| step(&mut optimizer, &gradients(1), 1e-2, f64::INFINITY, &mut model).unwrap());
        (stepped, model.0, optimizer.state())
    };
    assert!(of_threads(1) == of_threads(4));
}

#[test]
fn a_restored_optimizer_goes_on_to_the_bit() {
    let (mut first, mut model) = (optimizer(), model());
    step(&mut first, &gradients(1), 1e-2, f64::INFINITY, &mut model).unwrap();
    let (mut second, mut copy) = (optimizer(), Model(model.0.clone()));
    let (moments, updates) = first.state();
    second.restore(moments, updates);
    let a = step(&mut first, &gradients(2), 1e-2, f64::INFINITY, &mut model);
    let b = step(&mut second, &gradients(2), 1e-2, f64::INFINITY, &mut copy);
    assert!(a == b && model.0 == copy.0 && first.state() == second.state());
}

#[test]
fn the_rate_follows_its_schedule() {
    let schedule = LrSchedule { decay: Decay::Linear, warmup: 0.2, floor: 0.0 };
    let optimizer = Optimizer::new(OptimizerConfig { lr: 0.5, schedule, ..OptimizerConfig::default() });
    for (step, expected) in [(0, 0.25), (1, 0.5), (2, 0.5), (6, 0.25)] {
        assert!((optimizer.lr(step, 10) - expected).abs() < 1e-12, "{step}: {}", optimizer.lr(step, 10));
    }
}

#[test]
fn a_step_s_checksum_is_that_of_the_values() {
    let (mut optimizer, mut model) = (optimizer(), model());
    let (_, checksum) = step(&mut optimizer, &gradients(1), 0.1, f64::INFINITY, &mut model).unwrap();
    assert_eq!(Optimizer::checksum(&mut model), checksum);
    model.0[1][2] += 1.0;
    assert_ne!(Optimizer::checksum(&mut model), checksum);
}
