//! A binary floating-point number of any precision, and its decimal text.

use num_bigint::{BigInt, Sign};
use num_traits::{Signed, ToPrimitive, Zero};

use crate::python::numbers::{binary_parts, float_of_text};
use crate::python::{Outcome, Raised, int_of_text};

/// The largest decimal exponent that text may have.
const MAX_EXPONENT: i64 = 2_000;

#[derive(Clone, Debug)]
pub(super) enum Real {
    /// `mantissa * 2^exponent`.
    Finite {
        mantissa: BigInt,
        exponent: i64,
    },
    Infinite {
        negative: bool,
    },
    NotANumber,
}

impl Real {
    pub(super) fn integer(n: BigInt) -> Self {
        Self::Finite { mantissa: n, exponent: 0 }
    }

    pub(super) fn float(x: f64) -> Self {
        if x.is_nan() {
            return Self::NotANumber;
        }
        if x.is_infinite() {
            return Self::Infinite { negative: x < 0.0 };
        }
        let (mantissa, exponent) = binary_parts(x);
        let mantissa = BigInt::from(mantissa);
        Self::Finite { mantissa: if x < 0.0 { -mantissa } else { mantissa }, exponent }
    }

    /// What mpmath makes of text: a decimal number or a fraction, rounded; `None` when it is neither.
    pub(super) fn parse(text: &str, precision: u64) -> Option<Outcome<Self>> {
        let text = text.trim().to_lowercase();
        match text.as_str() {
            "inf" | "+inf" => return Some(Ok(Self::Infinite { negative: false })),
            "-inf" => return Some(Ok(Self::Infinite { negative: true })),
            "nan" => return Some(Ok(Self::NotANumber)),
            _ => {}
        }
        let (numerator, denominator) = match text.split_once('/') {
            Some((p, q)) => (int_of_text(p).ok()?, int_of_text(q).ok()?),
            None => match decimal(&text)? {
                (_, exponent) if exponent.abs() > MAX_EXPONENT => return Some(Err(Raised::too_large())),
                (digits, exponent) => {
                    let power = BigInt::from(10).pow(exponent.unsigned_abs() as u32);
                    if exponent >= 0 { (digits * power, 1.into()) } else { (digits, power) }
                }
            },
        };
        Some(Self::integer(numerator).over(&Self::integer(denominator), precision))
    }

    /// The number rounded to `precision` bits.
    pub(super) fn rounded(self, precision: u64) -> Self {
        let Self::Finite { mantissa, exponent } = self else {
            return self;
        };
        let excess = mantissa.bits().saturating_sub(precision);
        if excess == 0 {
            return Self::Finite { mantissa, exponent };
        }
        let magnitude = mantissa.abs();
        let (whole, half) = (&magnitude >> excess, BigInt::from(1) << (excess - 1));
        let rest = magnitude - (&whole << excess);
        let up = rest > half || (rest == half && whole.bit(0));
        let whole = whole + i64::from(up);
        let mantissa = if mantissa.is_negative() { -whole } else { whole };
        Self::Finite { mantissa, exponent: exponent + excess as i64 }
    }

    /// The quotient, rounded once.
    ///
    /// # Errors
    /// Division by zero, whose text is empty in mpmath.
    pub(super) fn over(&self, divisor: &Self, precision: u64) -> Outcome<Self> {
        match (self, divisor) {
            (_, Self::Finite { mantissa, .. }) if mantissa.is_zero() => Err(Raised::other("")),
            (
                Self::Finite { mantissa: a, exponent: a_exponent },
                Self::Finite { mantissa: b, exponent: b_exponent },
            ) => {
                let shift = (precision + 8 + b.bits()).saturating_sub(a.bits());
                let numerator = a.abs() << shift;
                let (whole, rest): (BigInt, BigInt) = (&numerator / b.abs(), &numerator % b.abs());
                // A last bit says whether something is left.
                let magnitude: BigInt = (whole << 1u32) + i64::from(!rest.is_zero());
                let negative = (a.sign() == Sign::Minus) != (b.sign() == Sign::Minus);
                let mantissa = if negative { -magnitude } else { magnitude };
                let exponent = a_exponent - b_exponent - shift as i64 - 1;
                Ok(Self::Finite { mantissa, exponent }.rounded(precision))
            }
            (Self::Infinite { negative }, Self::Finite { mantissa, .. }) => {
                Ok(Self::Infinite { negative: *negative != mantissa.is_negative() })
            }
            (Self::Finite { .. }, Self::Infinite { .. }) => Ok(Self::integer(BigInt::ZERO)),
            _ => Ok(Self::NotANumber),
        }
    }

    fn finite(&self) -> Outcome<(&BigInt, i64)> {
        match self {
            Self::Finite { mantissa, exponent } => Ok((mantissa, *exponent)),
            _ => Err(Raised::too_large()),
        }
    }

    /// The product, exactly.
    ///
    /// # Errors
    /// When a factor is not finite.
    pub(super) fn times(&self, other: &Self) -> Outcome<Self> {
        let ((a, a_exponent), (b, b_exponent)) = (self.finite()?, other.finite()?);
        Ok(Self::Finite { mantissa: a * b, exponent: a_exponent + b_exponent })
    }

    /// The sum, exactly.
    ///
    /// # Errors
    /// When a term is not finite.
    pub(super) fn plus(&self, other: &Self) -> Outcome<Self> {
        let ((a, a_exponent), (b, b_exponent)) = (self.finite()?, other.finite()?);
        let exponent = a_exponent.min(b_exponent);
        let aligned = |mantissa: &BigInt, own: i64| mantissa << (own - exponent).unsigned_abs();
        Ok(Self::Finite { mantissa: aligned(a, a_exponent) + aligned(b, b_exponent), exponent })
    }

    /// The difference, exactly.
    ///
    /// # Errors
    /// When a term is not finite.
    pub(super) fn minus(&self, other: &Self) -> Outcome<Self> {
        self.plus(&other.times(&Self::integer((-1).into()))?)
    }

    /// At most `digits` decimal digits, as mpmath writes them: fixed point for exponents from
    /// `-max(digits/3, 5)` to `digits`, both excluded, and no zeros at the end.
    pub(super) fn text(&self, digits: usize) -> String {
        let (mantissa, exponent) = match self {
            Self::NotANumber => return "nan".into(),
            Self::Infinite { negative } => return if *negative { "-inf" } else { "+inf" }.into(),
            Self::Finite { mantissa, .. } if mantissa.is_zero() => return "0.0".into(),
            Self::Finite { mantissa, exponent } => (mantissa, *exponent),
        };
        let sign = if mantissa.is_negative() { "-" } else { "" };
        let (figures, power) = leading_digits(&mantissa.abs(), exponent, digits + 3);
        let (figures, carry) = cut(&figures, digits);
        let power = power + i64::from(carry);
        let fixed = -((digits / 3).max(5) as i64) < power && power < digits as i64;
        let (figures, point) = match power {
            _ if !fixed => (figures, 1),
            ..0 => ("0".repeat(power.unsigned_abs() as usize) + &figures, 1),
            _ => {
                let point = power.unsigned_abs() as usize + 1;
                let zeros = "0".repeat(point.saturating_sub(figures.len()));
                (figures + &zeros, point)
            }
        };
        let (whole, fraction) = figures.split_at(point.min(figures.len()));
        let fraction = match fraction.trim_end_matches('0') {
            "" => "0",
            fraction => fraction,
        };
        let suffix = match power {
            _ if fixed => String::new(),
            0 => String::new(),
            1.. => format!("e+{power}"),
            _ => format!("e{power}"),
        };
        format!("{sign}{whole}.{fraction}{suffix}")
    }
}

/// The decimal digits from the first that is not 0, about `digits` of them cut and not rounded, and the
/// exponent of the first.
fn leading_digits(mantissa: &BigInt, exponent: i64, digits: usize) -> (String, i64) {
    let bits = (digits as f64 * std::f64::consts::LOG2_10) as i64 + 10;
    let scale = (bits - exponent - mantissa.bits() as i64).max(0);
    let places = (scale as f64 / std::f64::consts::LOG2_10 + 0.5) as i64;
    let shift = exponent + scale;
    let fixed = if shift >= 0 { mantissa << shift } else { mantissa >> -shift };
    let figures = ((fixed * BigInt::from(10).pow(places as u32)) >> scale).to_string();
    let first = figures.len() as i64 - places - 1;
    (figures, first)
}

/// The first `length` digits, one up where the next is 5 or more; and whether that made one digit more.
fn cut(figures: &str, length: usize) -> (String, bool) {
    let kept = &figures[..length.min(figures.len())];
    let up = figures.as_bytes().get(length).is_some_and(|next| *next >= b'5');
    if !up {
        return (kept.to_owned(), false);
    }
    match kept.trim_end_matches('9') {
        "" => (format!("1{}", "0".repeat(length - 1)), true),
        rest => {
            let (stem, last) = rest.split_at(rest.len() - 1);
            let last = last.bytes().next().map_or('0', |digit| char::from(digit + 1));
            (format!("{stem}{last}{}", "0".repeat(length - rest.len())), false)
        }
    }
}

/// A decimal literal as its digits and exponent; `None` when Python's `float` refuses it.
fn decimal(text: &str) -> Option<(BigInt, i64)> {
    float_of_text(text).ok()?;
    let plain = text.replace('_', "");
    let (figures, exponent) = match plain.split_once('e') {
        Some((figures, exponent)) => (figures, int_of_text(exponent).ok()?.to_i64().unwrap_or(i64::MAX / 2)),
        None => (plain.as_str(), 0),
    };
    let (whole, fraction) = figures.split_once('.').unwrap_or((figures, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = int_of_text(&format!("{whole}{fraction}")).ok()?;
    Some((digits, exponent.saturating_sub(fraction.len() as i64)))
}
