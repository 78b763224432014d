//! `mpmath.log(value) / mpmath.log(base)` at a number of decimal places: binary floating point of any
//! precision, every operation rounded to nearest, halves to even.

mod elementary;
mod real;

use num_traits::ToPrimitive;

use super::numbers::{Number, number};
use super::{Outcome, Raised, int_of_text};
use crate::value::Value;
use real::Real;

/// The most decimal places.
const MAX_PLACES: i64 = 1_000;

/// Bits of a decimal digit, as mpmath has it.
const BITS_PER_DIGIT: f64 = 3.321_928_094_887_362_6;

/// A logarithm. That of a negative number is complex.
enum Logarithm {
    Real(Real),
    Complex(Real, Real),
}

/// The quotient of two logarithms as the `repr` of mpmath's number.
///
/// # Errors
/// What mpmath raises for what is no number, and for base 1.
pub(crate) fn logarithm(value: &Value, base: &Value, places: &Value) -> Outcome {
    let places = places_of(places)?;
    let bits = (places.min(MAX_PLACES) + 1) as f64 * BITS_PER_DIGIT;
    let precision = bits.round_ties_even().max(1.0) as u64;
    let (value, base) = (real_of(value, precision)?, real_of(base, precision)?);
    if places > MAX_PLACES {
        return Err(Raised::too_large());
    }
    let (value, base) = (natural(&value, precision), natural(&base, precision));
    let shown = match ((precision as f64 / BITS_PER_DIGIT).round_ties_even() - 1.0).max(1.0) as usize {
        15 => 17,
        digits => digits + 3,
    };
    quotient(&value, &base, precision, shown).map(Value::Opaque)
}

/// Python's `int(places)`.
fn places_of(places: &Value) -> Outcome<i64> {
    let whole = match (number(places), places) {
        (Some(Number::Int(n)), _) => n,
        (Some(Number::Float(x)), _) => (x.trunc() as i64).into(),
        (None, Value::Str(text)) => int_of_text(text)?,
        _ => {
            return Err(Raised::type_error(format!(
                "int() argument must be a string, a bytes-like object or a real number, not '{}'",
                places.type_name()
            )));
        }
    };
    Ok(whole.to_i64().unwrap_or(i64::MAX).max(-2))
}

/// A value as mpmath converts it: numbers exactly, text rounded.
fn real_of(value: &Value, precision: u64) -> Outcome<Real> {
    match (number(value), value) {
        (Some(Number::Int(n)), _) => Ok(Real::integer(n)),
        (Some(Number::Float(x)), _) => Ok(Real::float(x)),
        // mpmath takes it for a complex number, and fails where it is none.
        (None, Value::Str(text)) if text.to_lowercase().contains('j') => {
            Err(Raised::other("'NoneType' object has no attribute 'group'"))
        }
        (None, Value::Str(text)) => match Real::parse(text, precision) {
            Some(real) => real,
            None => Err(not_a_number(value)),
        },
        _ => Err(not_a_number(value)),
    }
}

fn not_a_number(value: &Value) -> Raised {
    Raised::type_error(format!("cannot create mpf from {}", value.repr()))
}

/// The natural logarithm.
fn natural(x: &Real, precision: u64) -> Logarithm {
    match x {
        Real::Finite { mantissa, .. } if *mantissa == num_bigint::BigInt::ZERO => {
            Logarithm::Real(Real::Infinite { negative: true })
        }
        Real::Finite { mantissa, exponent } => {
            let magnitude = elementary::natural_logarithm(mantissa.magnitude(), *exponent, precision);
            match mantissa.sign() {
                num_bigint::Sign::Minus => Logarithm::Complex(magnitude, elementary::pi(precision)),
                _ => Logarithm::Real(magnitude),
            }
        }
        Real::Infinite { negative: true } => {
            Logarithm::Complex(Real::Infinite { negative: false }, elementary::pi(precision))
        }
        other => Logarithm::Real(other.clone()),
    }
}

fn quotient(a: &Logarithm, b: &Logarithm, precision: u64, digits: usize) -> Outcome<String> {
    let (a_real, a_imaginary) = a.parts();
    let (b_real, b_imaginary) = b.parts();
    if let (Logarithm::Real(a), Logarithm::Real(b)) = (a, b) {
        return Ok(format!("mpf('{}')", a.over(b, precision)?.text(digits)));
    }
    let complex = |real: &Real, imaginary: &Real| {
        format!("mpc(real='{}', imag='{}')", real.text(digits), imaginary.text(digits))
    };
    if let (Logarithm::Complex(real, imaginary), Logarithm::Real(b)) = (a, b) {
        return Ok(complex(&real.over(b, precision)?, &imaginary.over(b, precision)?));
    }
    // (a + bi) / (c + di) = ((ac + bd) + (bc - ad)i) / (c² + d²), exactly, then rounded.
    let norm = b_real.times(&b_real)?.plus(&b_imaginary.times(&b_imaginary)?)?;
    let real = a_real.times(&b_real)?.plus(&a_imaginary.times(&b_imaginary)?)?;
    let imaginary = a_imaginary.times(&b_real)?.minus(&a_real.times(&b_imaginary)?)?;
    Ok(complex(&real.over(&norm, precision)?, &imaginary.over(&norm, precision)?))
}

impl Logarithm {
    fn parts(&self) -> (Real, Real) {
        match self {
            Self::Real(real) => (real.clone(), Real::integer(num_bigint::BigInt::ZERO)),
            Self::Complex(real, imaginary) => (real.clone(), imaginary.clone()),
        }
    }
}
