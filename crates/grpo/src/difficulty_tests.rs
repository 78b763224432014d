//! Rates, weights and draws against numbers from elsewhere.

use super::*;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} and {b}");
}

/// By `PosteriorSampler.train` of verl's `recipe/mopps/mopps.py`, priors 1 and 1, copied by hand into Python:
/// `alpha = alpha * decay + 1 * (1 - decay) + successes`.
#[test]
fn counts_fade_as_those_of_mopps_do() {
    let groups = [
        (0.5, vec![(1, 3), (4, 0), (0, 4), (2, 2)], [4.125, 5.375]),
        (0.8, vec![(1, 0), (1, 0), (0, 1)], [2.44, 2.0]),
    ];
    for (decay, groups, [alpha, beta]) in groups {
        let mut rate = SuccessRate::default();
        assert_eq!(rate.mean(), 0.5);
        groups.into_iter().for_each(|(successes, failures)| rate.observe(successes, failures, decay));
        close(1.0 + rate.successes, alpha);
        close(1.0 + rate.failures, beta);
        close(rate.mean(), alpha / (alpha + beta));
    }
}

#[test]
fn a_task_is_worth_most_at_the_target() {
    for p in [0.0, 0.1, 0.25, 0.5, 0.9, 1.0] {
        close(learnability(p, 0.5), 4.0 * p * (1.0 - p));
    }
    for target in [0.2, 0.5, 0.75] {
        close(learnability(target, target), 1.0);
        assert!((0..=20).all(|i| learnability(f64::from(i) / 20.0, target) <= 1.0 + 1e-12));
        assert_eq!((learnability(0.0, target), learnability(1.0, target)), (0.0, 0.0));
    }
    close(learnability(0.5, 0.75), 0.769_800_358_919_501);
}

/// The expected numbers are the formula's in Python.
#[test]
fn probabilities_are_a_mixture() {
    let worth = [1.0, 4.0, 0.25, 0.0];
    let cases = [
        (1.0, 0.1, [0.196_428_571_428_571_43, 0.710_714_285_714_285_7, 0.067_857_142_857_142_86, 0.025]),
        (0.5, 0.0, [0.058_608_058_608_058_61, 0.937_728_937_728_937_8, 0.003_663_003_663_003_663, 0.0]),
    ];
    for (temperature, uniform, expected) in cases {
        let found = draw_probabilities(&worth, temperature, uniform);
        found.iter().zip(expected).for_each(|(&a, b)| close(a, b));
    }
    assert_eq!(draw_probabilities(&[0.0, 0.0], 1.0, 0.0), [0.5, 0.5]);
    assert_eq!(draw_probabilities(&[1e-3, 3e-3], 1e-3, 0.0), [0.0, 1.0]);
}

/// Of weights 1, 2 and 3 the pair {0, 1} comes with 1/6 * 2/5 + 2/6 * 1/4 = 0.15, as of numpy's
/// `choice(replace=False, p=...)`, and so on.
#[test]
fn draws_are_in_proportion_among_those_that_are_left() {
    let (n, mut counts, mut first) = (100_000, [0; 3], [0; 3]);
    let mut state = 7_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    for _ in 0..n {
        let drawn = without_replacement(&[1.0, 2.0, 3.0], [uniform(), uniform(), uniform()], 2);
        counts[3 - drawn[0] - drawn[1]] += 1;
        first[drawn[0]] += 1;
    }
    let pairs =
        [2.0 / 6.0 * 3.0 / 4.0 + 3.0 / 6.0 * 2.0 / 3.0, 1.0 / 6.0 * 3.0 / 5.0 + 3.0 / 6.0 / 3.0, 0.15];
    let shares = counts.into_iter().chain(first).map(|count| f64::from(count) / f64::from(n));
    for (share, expected) in shares.zip(pairs.into_iter().chain([1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0])) {
        assert!((share - expected).abs() < 0.005, "{share} for {expected}");
    }
    assert_eq!(without_replacement(&[0.0, 1.0], [0.1, 0.9], 5), [1, 0]);
    assert_eq!(without_replacement(&[], [], 5), [0; 0]);
}

#[test]
fn an_outcome_is_mixed_where_some_succeed_and_some_do_not() {
    for (outcomes, mixed) in [
        (vec![], false),
        (vec![true], false),
        (vec![false; 3], false),
        (vec![true; 2], false),
        (vec![true, false], true),
    ] {
        assert_eq!(has_mixed_outcome(outcomes.clone()), mixed, "{outcomes:?}");
    }
}
