//! Elementary functions and reductions that vectorise.
//!
//! Every function here is inlined into a caller that [`vectorized`] compiles once for each
//! instruction set; the sums keep a fixed number of lanes, so that their result does not depend on
//! the machine's vector width.

use super::element::Element;

/// Independent partial sums of a reduction.
const LANES: usize = 16;

/// Runs `op` compiled for the widest vector instructions of this machine.
#[inline(always)]
pub fn vectorized<R>(op: impl FnOnce() -> R) -> R {
    struct Op<F>(F);
    impl<R, F: FnOnce() -> R> pulp::WithSimd for Op<F> {
        type Output = R;
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, simd: S) -> R {
            simd.vectorize(
                #[inline(always)]
                || (self.0)(),
            )
        }
    }
    super::isa::arch().dispatch(Op(op))
}

/// e^x to about one unit in the last place: Cody-Waite reduction by ln 2 in two parts and a
/// polynomial of degree 6 on [-ln2/2, ln2/2], as Cephes' `expf` does it. Below -87.3 the result is
/// 0, above 88.7 infinity.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.336_54, 88.722_83);
    // Adding and taking off 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let shifted = clamped.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = (-n).mul_add(LN2_LOW, (-n).mul_add(LN2_HIGH, clamped));
    let mut p = 1.987_569_1e-4_f32;
    p = p.mul_add(r, 1.398_199_9e-3);
    p = p.mul_add(r, 8.333_452e-3);
    p = p.mul_add(r, 4.166_579_6e-2);
    p = p.mul_add(r, 1.666_666_5e-1);
    p = p.mul_add(r, 5.0e-1);
    let e = p.mul_add(r * r, r) + 1.0;
    // The sum's lowest bits are n. In two factors, so that 2^128 does not overflow the exponent.
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = n >> 1;
    let scale = |k: i32| f32::from_bits((k.wrapping_add(127) as u32) << 23);
    let y = e * scale(half) * scale(n.wrapping_sub(half));
    if x < -87.336_54 {
        0.0
    } else if x > 88.722_83 {
        f32::INFINITY
    } else {
        // A NaN passes `clamp` and so reaches the result.
        y
    }
}

/// Logistic function.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn fold(acc: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    let mut acc = acc;
    while width > 0 {
        for i in 0..width {
            acc[i] += acc[i + width];
        }
        width /= 2;
    }
    acc[0]
}

/// Sum of `f(a[i], b[i])`.
#[inline(always)]
pub fn sum2<A: Element, B: Element>(a: &[A], b: &[B], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut acc = [0.0f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_chunks.iter().zip(b_chunks) {
        for i in 0..LANES {
            acc[i] += f(x[i].widen(), y[i].widen());
        }
    }
    for (i, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        acc[i] += f(x.widen(), y.widen());
    }
    fold(acc)
}

/// Dot product.
#[inline(always)]
pub fn dot<E: Element>(a: &[f32], b: &[E]) -> f32 {
    let mut acc = [0.0f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_chunks.iter().zip(b_chunks) {
        for i in 0..LANES {
            acc[i] = x[i].mul_add(y[i].widen(), acc[i]);
        }
    }
    for (i, (&x, &y)) in a_rest.iter().zip(b_rest).enumerate() {
        acc[i] = x.mul_add(y.widen(), acc[i]);
    }
    fold(acc)
}

/// Largest value; negative infinity for an empty slice. A NaN is skipped here and shows in the sum.
#[inline(always)]
pub fn max(x: &[f32]) -> f32 {
    let mut acc = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for c in chunks {
        for i in 0..LANES {
            acc[i] = acc[i].max(c[i]);
        }
    }
    for (i, &v) in rest.iter().enumerate() {
        acc[i] = acc[i].max(v);
    }
    acc.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// Replaces every x by e^(x - shift) and returns their sum.
#[inline(always)]
pub fn exp_sum(x: &mut [f32], shift: f32) -> f32 {
    let mut acc = [0.0f32; LANES];
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    for c in chunks {
        for i in 0..LANES {
            c[i] = exp(c[i] - shift);
            acc[i] += c[i];
        }
    }
    for (i, v) in rest.iter_mut().enumerate() {
        *v = exp(*v - shift);
        acc[i] += *v;
    }
    fold(acc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_of_f64() {
        let mut worst = 0.0f64;
        for i in -870_000..=887_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let got = vectorized(
                #[inline(always)]
                || exp(x),
            );
            worst = worst.max((f64::from(got) - exact).abs() / exact);
        }
        assert!(worst < 2.4e-7, "relative error {worst:e}");
        assert_eq!(exp(-200.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(200.0), f32::INFINITY);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn reductions_agree_with_f64() {
        for n in [0, 1, 15, 16, 17, 100, 1000] {
            let a: Vec<f32> = (0..n).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
            let b: Vec<f32> = (0..n).map(|i| ((i * 53 % 97) as f32 - 48.0) / 24.0).collect();
            let exact: f64 = a.iter().zip(&b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            assert!((f64::from(dot(&a, &b)) - exact).abs() < 1e-3);
            assert!((f64::from(sum2(&a, &b, |x, y| x * y)) - exact).abs() < 1e-3);
            assert_eq!(max(&a), a.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let mut e = a.clone();
            let total = exp_sum(&mut e, 1.0);
            let exact: f64 = a.iter().map(|&x| (f64::from(x) - 1.0).exp()).sum();
            assert!((f64::from(total) - exact).abs() <= 1e-5 * exact.max(1.0));
        }
    }
}
