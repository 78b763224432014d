//! Square roots of Python's `decimal` module.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

use super::numbers::{Number, binary_parts, number};
use super::{Outcome, Raised, whole_of};
use crate::value::Value;

/// The most digits of a result.
const MAX_PRECISION: usize = 20_000;

/// `coefficient * 10^exponent`, not negative.
struct Decimal {
    coefficient: BigInt,
    exponent: i64,
}

/// `Decimal(value).sqrt()` in a context of `precision` digits, as the `repr` of the result.
///
/// # Errors
/// What Python raises for a precision that is none.
pub(crate) fn square_root(value: &Value, precision: &Value) -> Outcome {
    let digits = whole_of(precision).ok_or_else(|| {
        let name = precision.type_name();
        Raised::type_error(format!("'{name}' object cannot be interpreted as an integer"))
    })?;
    if digits.to_i64().is_none() {
        return Err(Raised::overflow("Python int too large to convert to C ssize_t"));
    }
    if !digits.is_positive() || digits > 999_999_999_999_999_999i64.into() {
        return Err(Raised::value_error("valid range for prec is [1, MAX_PREC]"));
    }
    let digits = digits.to_usize().filter(|digits| *digits <= MAX_PRECISION).ok_or_else(Raised::too_large)?;
    let (operand, sign) = match number(value) {
        Some(Number::Int(n)) => (Decimal { coefficient: n, exponent: 0 }, ""),
        Some(Number::Float(x)) if x.is_finite() => (exact(x), if x.is_sign_negative() { "-" } else { "" }),
        _ => return Err(Raised::type_error("conversion to Decimal is not supported")),
    };
    let root = operand.square_root(digits);
    Ok(Value::Opaque(format!("Decimal('{sign}{}')", root.text())))
}

/// A finite float as a decimal, exactly.
fn exact(x: f64) -> Decimal {
    let (mantissa, power) = binary_parts(x);
    if mantissa == 0 {
        return Decimal { coefficient: BigInt::ZERO, exponent: 0 };
    }
    let zeros = i64::from(mantissa.trailing_zeros());
    let (mantissa, power) = (BigInt::from(mantissa >> zeros), power + zeros);
    if power >= 0 {
        return Decimal { coefficient: mantissa << power, exponent: 0 };
    }
    Decimal { coefficient: mantissa * BigInt::from(5).pow(power.unsigned_abs() as u32), exponent: power }
}

impl Decimal {
    /// The root rounded to `precision` digits, halves to even. An exact root has the ideal exponent, half
    /// of the operand's (General Decimal Arithmetic, "square-root").
    fn square_root(&self, precision: usize) -> Self {
        let ideal = self.exponent.div_euclid(2);
        if self.coefficient.is_zero() {
            return Self { coefficient: BigInt::ZERO, exponent: ideal };
        }
        let odd = self.exponent.rem_euclid(2) == 1;
        let scaled = if odd { &self.coefficient * 10 } else { self.coefficient.clone() };
        let length = digits(&scaled).div_ceil(2) as i64;
        // One digit more than asked for.
        let shift = precision as i64 + 1 - length;
        let hundreds = BigInt::from(100).pow(shift.unsigned_abs() as u32);
        let (radicand, whole) = if shift >= 0 {
            (&scaled * hundreds, true)
        } else {
            (&scaled / &hundreds, (&scaled % &hundreds).is_zero())
        };
        let mut root = radicand.sqrt();
        let mut exponent = ideal - shift;
        if whole && &root * &root == radicand {
            let tens = BigInt::from(10).pow(shift.unsigned_abs() as u32);
            root = if shift >= 0 { root / tens } else { root * tens };
            exponent = ideal;
        } else if (&root % 5u32) == BigInt::ZERO {
            // What was cut off makes it no tie.
            root += 1;
        }
        Self { coefficient: root, exponent }.rounded(precision)
    }

    fn rounded(mut self, precision: usize) -> Self {
        let mut excess = digits(&self.coefficient).saturating_sub(precision);
        while excess > 0 {
            let unit = BigInt::from(10).pow(excess as u32);
            let (whole, rest) = (&self.coefficient / &unit, (&self.coefficient % &unit) * 2);
            let up = rest > unit || (rest == unit && whole.bit(0));
            self = Self { coefficient: whole + i64::from(up), exponent: self.exponent + excess as i64 };
            excess = digits(&self.coefficient).saturating_sub(precision);
        }
        self
    }

    /// The specification's to-scientific-string.
    fn text(&self) -> String {
        let digits = self.coefficient.to_string();
        let length = digits.len() as i64;
        let left = self.exponent + length;
        let point = if self.exponent <= 0 && left > -6 { left } else { 1 };
        let mantissa = if point <= 0 {
            format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
        } else if point >= length {
            digits
        } else {
            let (whole, fraction) = digits.split_at(point as usize);
            format!("{whole}.{fraction}")
        };
        if left == point { mantissa } else { format!("{mantissa}E{:+}", left - point) }
    }
}

fn digits(n: &BigInt) -> usize {
    n.to_string().len()
}
