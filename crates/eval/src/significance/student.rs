//! Student's distribution.

/// The two-sided p of Student's t with `df` degrees of freedom, `P(|T| >= |t|) = I_x(df / 2, 1 / 2)` at `x = df / (df + t^2)`,
/// `I` the regularised incomplete beta function.
pub(super) fn two_sided(t: f64, df: f64) -> f64 {
    let square = t * t;
    // 1 - x in its own words, as x is near 1 for a small t.
    incomplete_beta([df / 2.0, 0.5], [df / (df + square), square / (df + square)])
}

/// `I_x(a, b)` at `[x, 1 - x]`, by its continued fraction (DLMF 8.17.22) on the side where that converges fast.
fn incomplete_beta([a, b]: [f64; 2], [x, rest]: [f64; 2]) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if rest <= 0.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta([b, a], [rest, x]);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * rest.ln();
    front.exp() * fraction([a, b], x) / a
}

/// The continued fraction by Lentz's method.
fn fraction([a, b]: [f64; 2], x: f64) -> f64 {
    let kept = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut d = 1.0 / kept(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut value) = (1.0, d);
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / kept(1.0 + term * d);
            c = kept(1.0 + term / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function of a positive number, by Lanczos' approximation (g = 7, 9 terms; Godfrey, 2001).
fn ln_gamma(z: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let z = z - 1.0;
    let sum =
        (1..).zip(TERMS).fold(0.999_999_999_999_809_9, |sum, (i, term)| sum + term / (z + f64::from(i)));
    let t = z + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (z + 0.5) * t.ln() - t + sum.ln()
}
