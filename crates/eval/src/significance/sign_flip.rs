//! The paired permutation test.

use super::split_mix::SplitMix;

/// Up to so many differences every assignment of signs is looked at.
const EXACT: usize = 16;

/// Assignments that are drawn where there are more.
const DRAWS: u32 = 1 << 16;

/// The two-sided p of the paired permutation test: if two policies did equally well, the difference between them on a task would
/// be as likely to have the other sign, so p is the share of all assignments of signs whose sum is as far from 0 as the one
/// that was found (Fisher, 1935; Dror et al., The Hitchhiker's Guide to Testing Statistical Significance in NLP, 2018). Of
/// more than 16 differences other than 0, 65,536 assignments are drawn and the found one is counted as one of them, without which
/// p would be too small (Phipson and Smyth, 2010). None of no differences.
///
/// # Arguments
/// - `differences`: one a task; of several seeds a task's mean over them, as a task is one draw however often it is
///   asked.
pub fn sign_flip(differences: &[f64]) -> Option<f64> {
    if differences.is_empty() {
        return None;
    }
    let differences: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    let found = differences.iter().sum::<f64>().abs() * (1.0 - 1e-12);
    let is_as_far = |signs: &[u64]| signed_sum(&differences, signs).abs() >= found;
    if differences.len() <= EXACT {
        let all = 1_u32 << differences.len();
        let as_far = (0..all).filter(|&bits| is_as_far(&[bits.into()])).count();
        return Some(as_far as f64 / f64::from(all));
    }
    let mut random = SplitMix(0);
    let mut signs = vec![0; differences.len().div_ceil(64)];
    let mut as_far = 1_u32;
    for _ in 0..DRAWS {
        signs.fill_with(|| random.next());
        as_far += u32::from(is_as_far(&signs));
    }
    Some(f64::from(as_far) / f64::from(DRAWS + 1))
}

/// The sum with those signs turned whose bit is set, 64 a word.
fn signed_sum(differences: &[f64], signs: &[u64]) -> f64 {
    let of_word = |(some, &word): (&[f64], &u64)| -> f64 {
        let signed =
            some.iter().enumerate().map(|(i, d)| f64::from_bits(d.to_bits() ^ (word >> i & 1) << 63));
        signed.sum()
    };
    differences.chunks(64).zip(signs).map(of_word).sum()
}
