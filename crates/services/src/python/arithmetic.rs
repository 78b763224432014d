//! Python's arithmetic operators over values of any type.

use num_bigint::{BigInt, Sign};
use num_traits::{Signed, ToPrimitive, Zero};

use super::numbers::{Number, float_of_int, number};
use super::{Outcome, Raised, iterate};
use crate::value::Value;

/// The most bits of an integer that a power may have; a few more digits than Python writes as text.
const MAX_BITS: u64 = 20_000;

/// The most code points or items of a repeated string or list.
const MAX_REPEATED: usize = 1 << 22;

/// An operator, as the messages of its exceptions write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    AddInPlace,
    Subtract,
    SubtractInPlace,
    Multiply,
    Divide,
    Power,
}

impl Operator {
    fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::AddInPlace => "+=",
            Self::Subtract => "-",
            Self::SubtractInPlace => "-=",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Power => "** or pow()",
        }
    }
}

/// Python's `a operator b`.
pub(crate) fn arithmetic(operator: Operator, a: &Value, b: &Value) -> Outcome {
    match (number(a), number(b)) {
        (Some(Number::Int(a)), Some(Number::Int(b))) => integers(operator, a, b),
        (Some(a), Some(b)) => floats(operator, a.float()?, b.float()?),
        _ => others(operator, a, b),
    }
}

fn integers(operator: Operator, a: BigInt, b: BigInt) -> Outcome {
    Ok(match operator {
        Operator::Add | Operator::AddInPlace => Value::Int(a + b),
        Operator::Subtract | Operator::SubtractInPlace => Value::Int(a - b),
        Operator::Multiply => Value::Int(a * b),
        Operator::Divide => Value::Float(quotient(&a, &b)?),
        Operator::Power if b.is_negative() => return float_power(float_of_int(&a)?, float_of_int(&b)?),
        Operator::Power => Value::Int(integer_power(&a, &b)?),
    })
}

fn floats(operator: Operator, a: f64, b: f64) -> Outcome {
    Ok(Value::Float(match operator {
        Operator::Add | Operator::AddInPlace => a + b,
        Operator::Subtract | Operator::SubtractInPlace => a - b,
        Operator::Multiply => a * b,
        Operator::Divide if b == 0.0 => return Err(Raised::other("float division by zero")),
        Operator::Divide => a / b,
        Operator::Power => return float_power(a, b),
    }))
}

/// What is left: concatenation, repetition and errors.
fn others(operator: Operator, a: &Value, b: &Value) -> Outcome {
    use Operator::{Add, AddInPlace, Multiply};
    match (operator, a, b) {
        (Add | AddInPlace, Value::Str(x), Value::Str(y)) => Ok(Value::Str(format!("{x}{y}"))),
        (Add | AddInPlace, Value::List(x), Value::List(y)) => {
            Ok(Value::List(x.iter().chain(y).cloned().collect()))
        }
        (Add | AddInPlace, Value::Str(_) | Value::List(_), _) => {
            let (own, other) = (a.type_name(), b.type_name());
            Err(Raised::type_error(format!("can only concatenate {own} (not \"{other}\") to {own}")))
        }
        (Multiply, Value::Str(_) | Value::List(_), times)
        | (Multiply, times, Value::Str(_) | Value::List(_)) => {
            let sequence = if std::ptr::eq(times, b) { a } else { b };
            repeated(sequence, times)
        }
        _ => Err(Raised::type_error(format!(
            "unsupported operand type(s) for {}: '{}' and '{}'",
            operator.symbol(),
            a.type_name(),
            b.type_name()
        ))),
    }
}

/// Python's `sequence * times`.
fn repeated(sequence: &Value, times: &Value) -> Outcome {
    let Some(Number::Int(times)) = number(times) else {
        let other = times.type_name();
        return Err(Raised::type_error(format!("can't multiply sequence by non-int of type '{other}'")));
    };
    let times = if times.is_negative() { 0 } else { times.to_usize().unwrap_or(usize::MAX) };
    let length = match sequence {
        Value::Str(text) => text.len(),
        Value::List(items) => items.len(),
        _ => 0,
    };
    if length.saturating_mul(times) > MAX_REPEATED {
        return Err(Raised::too_large());
    }
    Ok(match sequence {
        Value::Str(text) => Value::Str(text.repeat(times)),
        Value::List(items) => Value::List(items.iter().cycle().take(length * times).cloned().collect()),
        _ => sequence.clone(),
    })
}

/// Python's `a / b` of two integers: the quotient rounded once.
fn quotient(a: &BigInt, b: &BigInt) -> Outcome<f64> {
    if b.is_zero() {
        return Err(Raised::other("division by zero"));
    }
    if a.bits() <= 53 && b.bits() <= 53 {
        return Ok(a.to_f64().unwrap_or_default() / b.to_f64().unwrap_or_default());
    }
    let too_large = || Raised::overflow("integer division result too large for a float");
    // 66 bits of the quotient, the last of which says whether something is left.
    let shift = b.bits() as i64 + 66 - a.bits() as i64;
    let (numerator, denominator) =
        if shift >= 0 { (a.abs() << shift, b.abs()) } else { (a.abs(), b.abs() << -shift) };
    let (whole, rest): (BigInt, BigInt) = (&numerator / &denominator, &numerator % &denominator);
    let sticky: BigInt = (whole << 1u32) + i64::from(!rest.is_zero());
    let magnitude = scaled(sticky.to_f64().unwrap_or_default(), -shift - 1);
    if magnitude.is_infinite() {
        return Err(too_large());
    }
    let negative = (a.sign() == Sign::Minus) != (b.sign() == Sign::Minus);
    Ok(if negative { -magnitude } else { magnitude })
}

/// `x * 2^exponent`.
fn scaled(mut x: f64, mut exponent: i64) -> f64 {
    while exponent > 1000 && x.is_finite() {
        x *= 2f64.powi(1000);
        exponent -= 1000;
    }
    while exponent < -1000 && x != 0.0 {
        x *= 2f64.powi(-1000);
        exponent += 1000;
    }
    x * 2f64.powi(exponent.clamp(-1000, 1000) as i32)
}

/// Python's `a / b`, as a real number that a service needs for itself.
pub(crate) fn real_quotient(a: &Value, b: &Value) -> Outcome<f64> {
    match arithmetic(Operator::Divide, a, b)? {
        Value::Float(x) => Ok(x),
        other => Err(Raised::type_error(format!("must be real number, not {}", other.type_name()))),
    }
}

fn integer_power(base: &BigInt, exponent: &BigInt) -> Outcome<BigInt> {
    if base.magnitude().bits() <= 1 {
        // 0, 1 and -1 raised to anything are small.
        let odd = exponent.bit(0);
        return Ok(match base.sign() {
            _ if exponent.is_zero() => 1.into(),
            Sign::Minus if !odd => 1.into(),
            _ => base.clone(),
        });
    }
    match exponent.to_u32() {
        Some(exponent) if base.bits().saturating_mul(exponent.into()) <= MAX_BITS => Ok(base.pow(exponent)),
        _ => Err(super::numbers::too_many_digits()),
    }
}

/// Python's power of two floats, complex where the base is negative and the exponent no integer.
fn float_power(base: f64, exponent: f64) -> Outcome {
    if base == 0.0 && exponent < 0.0 {
        return Err(Raised::other("0.0 cannot be raised to a negative power"));
    }
    if base < 0.0 && base.is_finite() && exponent.is_finite() && exponent.fract() != 0.0 {
        return complex_power(base, exponent);
    }
    let power = base.powf(exponent);
    if power.is_infinite() && base.is_finite() && exponent.is_finite() {
        return Err(Raised::overflow("(34, 'Numerical result out of range')"));
    }
    Ok(Value::Float(power))
}

/// In polar form, as CPython computes it.
fn complex_power(base: f64, exponent: f64) -> Outcome {
    let length = base.abs().powf(exponent);
    let phase = 0f64.atan2(base) * exponent;
    let (real, imaginary) = (length * phase.cos(), length * phase.sin());
    if real.is_infinite() || imaginary.is_infinite() {
        return Err(Raised::overflow("complex exponentiation"));
    }
    let part = |x: f64| {
        let text = Value::Float(x).repr();
        text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
    };
    let imaginary_text = part(imaginary);
    if real == 0.0 && real.is_sign_positive() {
        return Ok(Value::Opaque(format!("{imaginary_text}j")));
    }
    let sign = if imaginary_text.starts_with('-') { "" } else { "+" };
    Ok(Value::Opaque(format!("({}{sign}{imaginary_text}j)", part(real))))
}

/// Python's `abs(value)`.
pub(crate) fn absolute(value: &Value) -> Outcome {
    match number(value) {
        Some(Number::Int(n)) => Ok(Value::Int(n.abs())),
        Some(Number::Float(x)) => Ok(Value::Float(x.abs())),
        None => Err(Raised::type_error(format!("bad operand type for abs(): '{}'", value.type_name()))),
    }
}

/// Python's `sum(values)`, one addition after the other.
pub(crate) fn sum(values: &Value) -> Outcome {
    let zero = Value::from(0);
    iterate(values)?.iter().try_fold(zero, |total, value| arithmetic(Operator::Add, &total, value))
}
