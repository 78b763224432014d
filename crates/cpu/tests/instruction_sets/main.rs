//! Every operation against plain loops in f64, on each set of vector instructions that this machine has, and to the same
//! bit whatever the number of threads.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod attention;
mod decoding;
mod head;
mod products;
mod rows;

use std::sync::{Mutex, PoisonError};

use half::bf16;
use toolrl_cpu::Isa;

/// The set is chosen for the whole process: one check at a time.
static CHOICE: Mutex<()> = Mutex::new(());

/// Holds what an operation computes against a plain loop's results, on each set of instructions. A difference may be
/// `within` times the larger of 1 and the result.
fn check(what: &str, expected: &[f64], within: f64, compute: impl Fn() -> Vec<f32> + Sync) {
    let _one_at_a_time = CHOICE.lock().unwrap_or_else(PoisonError::into_inner);
    for isa in Isa::here() {
        isa.choose().unwrap();
        let what = format!("{what}, {}", isa.name());
        let [alone, shared] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(&compute)
        });
        assert_eq!(alone.len(), expected.len(), "{what}");
        for (i, ((alone, shared), expected)) in alone.iter().zip(&shared).zip(expected).enumerate() {
            assert_eq!(alone.to_bits(), shared.to_bits(), "{what}: number {i} depends on the threads");
            let apart = (f64::from(*alone) - expected).abs();
            assert!(
                apart <= within * expected.abs().max(1.0),
                "{what}: number {i} is {alone}, not {expected}"
            );
        }
    }
}

/// Numbers in [-1, 1) that follow from the seed.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(next).collect()
}

/// As [`numbers`], as bf16 stores them, and the same widened.
fn narrow_numbers(n: usize, seed: u32) -> (Vec<bf16>, Vec<f32>) {
    numbers(n, seed).into_iter().map(|x| (bf16::from_f32(x), bf16::from_f32(x).to_f32())).unzip()
}

/// The sum of f(i) over all i below n.
fn sum(n: usize, f: impl Fn(usize) -> f64) -> f64 {
    (0..n).map(f).sum()
}

/// The product of two numbers in f64.
fn times(a: f32, b: f32) -> f64 {
    f64::from(a) * f64::from(b)
}
