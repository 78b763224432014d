//! The natural logarithm and pi by their series, in fixed point.

use num_bigint::{BigInt, BigUint};
use num_traits::{Signed, Zero};

use super::real::Real;

/// Bits beyond those asked for, so that the last rounding is the only one that shows.
const GUARD: u64 = 64;

/// The logarithm of `mantissa * 2^exponent`, which is above 0, rounded to `precision` bits.
pub(super) fn natural_logarithm(mantissa: &BigUint, exponent: i64, precision: u64) -> Real {
    if mantissa.count_ones() == 1 && exponent + mantissa.bits() as i64 == 1 {
        return Real::integer(BigInt::ZERO);
    }
    let mut working = precision + GUARD;
    loop {
        let fixed = fixed_logarithm(mantissa, exponent, working);
        // Near 1 the logarithm is small, and more bits are needed for as many that count.
        let bits = fixed.bits();
        if bits >= precision + GUARD / 2 {
            return Real::Finite { mantissa: fixed, exponent: -(working as i64) }.rounded(precision);
        }
        working += precision + GUARD - bits;
    }
}

/// `ln(m * 2^k) = ln(m) + k ln(2)` with m in [1, 2), times `2^working`.
fn fixed_logarithm(mantissa: &BigUint, exponent: i64, working: u64) -> BigInt {
    let bits = mantissa.bits();
    let power = exponent + bits as i64 - 1;
    let mantissa = BigInt::from(mantissa.clone());
    // Enough bits that the mantissa is never cut.
    let scale = working.max(bits) + GUARD;
    let one = BigInt::from(1) << scale;
    let m = mantissa << (scale + 1 - bits);
    let ln_m = inverse_tanh(&(((&m - &one) << scale) / (&m + &one)), scale) * 2;
    let ln_2 = inverse_tanh(&(&one / 3), scale) * 2;
    (ln_m + ln_2 * power) >> (scale - working)
}

/// `atanh(z) = z + z³/3 + z⁵/5 + …`, for fixed point of `scale` bits.
fn inverse_tanh(z: &BigInt, scale: u64) -> BigInt {
    let square = (z * z) >> scale;
    let (mut power, mut total) = (z.clone(), BigInt::ZERO);
    for odd in (1u64..).step_by(2) {
        total += &power / odd;
        power = (power * &square) >> scale;
        if power.abs() < BigInt::from(odd) || power.is_zero() {
            break;
        }
    }
    total
}

/// `1/n - 1/3n³ + 1/5n⁵ - …`, for fixed point of `scale` bits.
fn inverse_tangent_of_inverse(n: u64, scale: u64) -> BigInt {
    let (mut power, mut total) = ((BigInt::from(1) << scale) / n, BigInt::ZERO);
    let mut odd = 1u64;
    while !power.is_zero() {
        let term = &power / odd;
        if odd % 4 == 1 {
            total += term
        } else {
            total -= term
        }
        power /= n * n;
        odd += 2;
    }
    total
}

/// Pi by Machin's formula, `16 atan(1/5) - 4 atan(1/239)`, rounded to `precision` bits.
pub(super) fn pi(precision: u64) -> Real {
    let scale = precision + GUARD;
    let mantissa = inverse_tangent_of_inverse(5, scale) * 16 - inverse_tangent_of_inverse(239, scale) * 4;
    Real::Finite { mantissa, exponent: -(scale as i64) }.rounded(precision)
}
