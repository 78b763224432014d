//! Numbers: what is one, conversions from and to text, rounding.

use num_bigint::{BigInt, Sign};
use num_traits::{FromPrimitive, Signed, ToPrimitive, Zero};
use toolrl_grammar::json::MAX_INTEGER_DIGITS;

use super::{Outcome, Raised};
use crate::value::Value;

/// A number of Python's `int` (or `bool`, which is one) or `float`.
pub(crate) enum Number {
    Int(BigInt),
    Float(f64),
}

/// The number that a value is, if it is one.
pub(crate) fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Bool(flag) => Some(Number::Int(i64::from(*flag).into())),
        Value::Int(n) => Some(Number::Int(n.clone())),
        Value::Float(x) => Some(Number::Float(*x)),
        _ => None,
    }
}

impl Number {
    /// It as a float; an integer beyond the floats raises.
    pub(super) fn float(&self) -> Outcome<f64> {
        match self {
            Self::Int(n) => float_of_int(n),
            Self::Float(x) => Ok(*x),
        }
    }
}

pub(super) fn float_of_int(n: &BigInt) -> Outcome<f64> {
    match n.to_f64() {
        Some(x) if x.is_finite() => Ok(x),
        _ => Err(Raised::overflow("int too large to convert to float")),
    }
}

/// A finite float's magnitude as `mantissa * 2^exponent`, exactly.
pub(super) fn binary_parts(x: f64) -> (u64, i64) {
    let bits = x.abs().to_bits();
    let (fraction, biased) = (bits & ((1 << 52) - 1), (bits >> 52) as i64);
    if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) }
}

/// What an integer of too many digits raises when it is written as text.
pub(crate) fn too_many_digits() -> Raised {
    Raised::value_error(format!(
        "Exceeds the limit ({MAX_INTEGER_DIGITS} digits) for integer string conversion; \
         use sys.set_int_max_str_digits() to increase the limit"
    ))
}

/// Python's `float(value)`.
pub(crate) fn float_of(value: &Value) -> Outcome<f64> {
    match (number(value), value) {
        (Some(number), _) => number.float(),
        (None, Value::Str(text)) => float_of_text(text),
        _ => Err(Raised::type_error(format!(
            "float() argument must be a string or a real number, not '{}'",
            value.type_name()
        ))),
    }
}

/// Python's `float(text)`: white space around it, single underscores between digits, `inf` and `nan`.
pub(super) fn float_of_text(text: &str) -> Outcome<f64> {
    let fail =
        || Raised::value_error(format!("could not convert string to float: {}", Value::from(text).repr()));
    let trimmed = text.trim_matches(super::text::is_space);
    let digits = without_underscores(trimmed).ok_or_else(fail)?;
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
    let word = unsigned.to_ascii_lowercase();
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !numeric && !matches!(word.as_str(), "inf" | "infinity" | "nan") {
        return Err(fail());
    }
    digits.parse().map_err(|_| fail())
}

/// Python's `int(text)` in base 10.
pub(crate) fn int_of_text(text: &str) -> Outcome<BigInt> {
    let fail = || {
        let text = Value::from(text).repr();
        Raised::value_error(format!("invalid literal for int() with base 10: {text}"))
    };
    let trimmed = text.trim_matches(super::text::is_space);
    let digits = without_underscores(trimmed).ok_or_else(fail)?;
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fail());
    }
    if unsigned.len() > MAX_INTEGER_DIGITS {
        return Err(Raised::value_error(format!(
            "Exceeds the limit ({MAX_INTEGER_DIGITS} digits) for integer string conversion: \
             value has {} digits; use sys.set_int_max_str_digits() to increase the limit",
            unsigned.len()
        )));
    }
    BigInt::parse_bytes(digits.as_bytes(), 10).ok_or_else(fail)
}

/// The text less underscores that stand between digits; `None` when one stands elsewhere.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |i: Option<usize>| i.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_digit);
    let misplaced =
        |(i, byte): (usize, &u8)| *byte == b'_' && !(digit(i.checked_sub(1)) && digit(i.checked_add(1)));
    if bytes.iter().enumerate().any(misplaced) {
        return None;
    }
    Some(text.replace('_', ""))
}

/// What Python takes as an index: an integer or a boolean.
pub(crate) fn whole_of(value: &Value) -> Option<BigInt> {
    match number(value) {
        Some(Number::Int(n)) => Some(n),
        _ => None,
    }
}

/// Python's `round(value, places)`, with `None` for no second argument.
pub(crate) fn round(value: &Value, places: &Value) -> Outcome {
    let Some(number) = number(value) else {
        let name = value.type_name();
        return Err(Raised::type_error(format!("type {name} doesn't define __round__ method")));
    };
    let places = match places {
        Value::None => None,
        _ => Some(whole_of(places).ok_or_else(|| {
            let name = places.type_name();
            Raised::type_error(format!("'{name}' object cannot be interpreted as an integer"))
        })?),
    };
    match (number, places) {
        (Number::Int(n), None) => Ok(Value::Int(n)),
        (Number::Int(n), Some(places)) => Ok(Value::Int(round_integer(n, &places))),
        (Number::Float(x), None) => round_to_integer(x),
        (Number::Float(x), Some(places)) => {
            let limit = if places.is_negative() { -400 } else { 400 };
            round_float(x, places.to_i32().unwrap_or(limit)).map(Value::Float)
        }
    }
}

fn round_to_integer(x: f64) -> Outcome {
    match BigInt::from_f64(x.round_ties_even()) {
        Some(n) => Ok(Value::Int(n)),
        None if x.is_nan() => Err(Raised::value_error("cannot convert float NaN to integer")),
        None => Err(Raised::overflow("cannot convert float infinity to integer")),
    }
}

/// To a multiple of `10^-places` where `places` is negative, halves to even.
fn round_integer(n: BigInt, places: &BigInt) -> BigInt {
    let Some(places) = (-places).to_u64().filter(|places| *places > 0) else {
        // A power of ten beyond every digit leaves nothing.
        return if places.is_negative() { BigInt::ZERO } else { n };
    };
    // Ten to this power is above twice the number.
    if places > n.bits() / 3 + 1 {
        return BigInt::ZERO;
    }
    let unit = BigInt::from(10).pow(places as u32);
    let twice = n.abs() * 2;
    let (whole, rest): (BigInt, BigInt) = (&twice / (&unit * 2), &twice % (&unit * 2));
    let up = rest > unit || (rest == unit && whole.bit(0));
    let magnitude = (whole + i64::from(up)) * unit;
    if n.sign() == Sign::Minus { -magnitude } else { magnitude }
}

/// The float nearest to the exact decimal expansion, cut to `places` with halves to even.
fn round_float(x: f64, places: i32) -> Outcome<f64> {
    // Beyond these, nothing is cut, or nothing is left.
    if !x.is_finite() || x.is_zero() || places > 323 {
        return Ok(x);
    }
    if places < -308 {
        return Ok(0.0 * x);
    }
    if places >= 0 {
        // Formatting is exact, with halves to even.
        let places = places.unsigned_abs() as usize;
        return Ok(format!("{x:.places$}").parse().unwrap_or(x));
    }
    let whole = BigInt::from_f64(x.trunc()).unwrap_or_default();
    let unit = BigInt::from(10).pow(places.unsigned_abs());
    let half = &unit / 2;
    let rest = whole.abs() % &unit;
    // A fraction lifts what would be a tie.
    let nudge = i64::from(x.fract() != 0.0 && rest == half);
    let rounded = round_integer(whole.abs() + nudge, &places.into());
    match rounded.to_f64() {
        Some(magnitude) if magnitude.is_finite() => Ok(magnitude.copysign(x)),
        _ => Err(Raised::overflow("rounded value too large to represent")),
    }
}
