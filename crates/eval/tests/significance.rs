//! Tests of significance against SciPy 1.17.1 and statsmodels 0.15.0, the bootstrap against numpy 2.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use toolrl_eval::significance::{Interval, Moments, Stratum, bootstrap, holm, sign_flip, welch};

fn moments(values: &[f64]) -> Moments {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Moments { n, mean, std: (squares / (n as f64 - 1.0)).sqrt() }
}

/// `scipy.stats.ttest_ind(a, b, equal_var=False).pvalue`
#[test]
fn welchs_p_is_scipys() {
    let cases: [(&[f64], &[f64], f64); 5] = [
        (&[1.2, 1.3, 1.5], &[0.9, 1.1, 1.19], 0.093_162_741_504_366_57),
        (&[0.726, 0.71, 0.742], &[0.684, 0.66, 0.708], 0.074_398_753_115_585_04),
        (&[3.0, 4.0, 5.0, 9.0, -2.0], &[3.1, 4.2], 0.938_937_952_144_554_6),
        (&[0.1, 0.2, 0.3, 0.4], &[0.1, 0.2, 0.3, 0.41], 0.979_355_599_898_471_3),
        (&[100.0, 101.0, 102.0], &[0.0, 1.0, 1.5], 4.514_801_414_594_161e-8),
    ];
    for (a, b, expected) in cases {
        for (a, b) in [(a, b), (b, a)] {
            let p = welch(moments(a), moments(b)).unwrap();
            assert!((p - expected).abs() < 1e-9 * expected, "{a:?} {b:?}: {p} {expected}");
        }
    }
    // One sample has no spread: a known mean.
    let known = Moments { n: 3, mean: 1.0, std: 0.0 };
    let p = welch(known, moments(&[2.0, 2.5, 2.2])).unwrap();
    assert!((p - 0.013_596_339_246_753_486).abs() < 1e-9, "{p}");
    assert_eq!(welch(known, Moments { mean: 2.0, ..known }), None, "neither has a spread");
    assert_eq!(welch(moments(&[1.0, 2.0]), Moments { n: 1, ..known }), None, "one seed");
    assert_eq!(welch(moments(&[1.0, 2.0]), moments(&[2.0, 1.0])), Some(1.0));
}

/// `2 * scipy.stats.t.sf(abs(t), df)`, by samples of two whose t and degrees of freedom these are.
#[test]
fn small_p_keep_their_digits() {
    // With equal spreads and two values each, df = 2 and t = difference / std.
    let of = |t: f64| {
        let one = Moments { n: 2, mean: 0.0, std: 1.0 };
        welch(one, Moments { mean: t, ..one }).unwrap()
    };
    for (t, expected) in [(2.0, 0.183_503_419_072_273_97), (40.0, 0.000_624_414_672_184_740_6)] {
        assert!((of(t) - expected).abs() < 1e-11 * expected, "{t}: {}", of(t));
    }
    // For 2 degrees of freedom p is 1 - t / sqrt(t^2 + 2).
    for t in [1e-3_f64, 0.1, 1.0, 10.0] {
        assert!((of(t) - (1.0 - t / (t * t + 2.0).sqrt())).abs() < 1e-13, "{t}");
    }
}

/// `statsmodels.stats.multitest.multipletests(p, method="holm")[1]`
#[test]
fn holms_p_is_statsmodels() {
    let corrected = holm(&[0.01, 0.04, 0.03, 0.005, 0.5, 0.04]);
    let expected = [0.05, 0.12, 0.12, 0.03, 0.5, 0.12];
    assert!(corrected.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{corrected:?}");
    assert_eq!(holm(&[]), [0.0; 0]);
    assert_eq!(holm(&[0.7, 0.8]), [1.0, 1.0]);
}

/// `scipy.stats.permutation_test((d,), sum, permutation_type="samples")`
#[test]
fn the_paired_p_is_scipys() {
    let exact = [0.5, -0.25, 1.0, 0.75, 0.125, -0.5, 2.0, 0.3];
    assert_eq!(sign_flip(&exact), Some(0.117_187_5));
    // Tasks on which both did equally well say nothing.
    let with_ties = [1.0, 1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
    assert_eq!(sign_flip(&with_ties), Some(0.125));
    assert_eq!((sign_flip(&[0.0, 0.0]), sign_flip(&[])), (Some(1.0), None));
    // Drawn: SciPy's own draws gave these, each with an error of some 0.001.
    let drawn = |n: i32, shift: f64| -> Vec<f64> {
        (0..n).map(|i| f64::from(i * 37 % 101 - 50) / 50.0 + shift).collect()
    };
    for (differences, expected) in [(drawn(300, 0.08), 0.022_07), (drawn(100, 0.02), 0.7738)] {
        let p = sign_flip(&differences).unwrap();
        assert!((p - expected).abs() < 0.004, "{p} {expected}");
        let other: Vec<f64> = differences.iter().map(|d| -d).collect();
        assert!((sign_flip(&other).unwrap() - p).abs() < 0.004);
    }
    let clear = sign_flip(&[1.0; 40]).unwrap();
    assert!((clear - 1.0 / 65_537.0).abs() < 1e-12, "never 0: {clear}");
}

/// `numpy.quantile(means, [0.025, 0.975])` of 100,000 resamples by `numpy.random.default_rng(0)`, whose error is below 0.002; ours
/// are 2,000.
#[test]
fn the_bootstrap_is_numpys() {
    let shares = |right: usize, of: usize| (0..of).map(|i| f64::from(i < right)).collect::<Vec<_>>();
    let spread = (0..300).map(|i| f64::from(i * 37 % 101 - 50) / 50.0).collect();
    let groups = [(0.75, shares(10, 50)), (0.25, shares(45, 50))];
    let groups = groups.map(|(weight, values)| Stratum { weight, values });
    let cases: [(&[Stratum], [f64; 2]); 3] = [
        (&[Stratum::whole(shares(60, 200))], [0.235, 0.365]),
        (&[Stratum::whole(spread)], [-0.0678, 0.0639]),
        (&groups, [0.295, 0.465]),
    ];
    for (strata, [low, high]) in cases {
        let found = bootstrap(strata).unwrap();
        assert!((found.low - low).abs() < 0.008 && (found.high - high).abs() < 0.008, "{found:?}");
    }
    assert_eq!(bootstrap(&[Stratum::whole(vec![0.5; 7])]), Some(Interval { low: 0.5, high: 0.5 }));
    assert_eq!((bootstrap(&[]), bootstrap(&[Stratum::whole(Vec::new())])), (None, None));
}
