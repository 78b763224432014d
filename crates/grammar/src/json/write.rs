//! Python's `json.dumps`: ASCII only, so that lone surrogates survive.

use std::fmt::{self, Display, Write};

use super::{PyInt, PyStr, Value};
use crate::text::code_points;

/// Writes as `json.dumps` does: `", "` and `": "`, escapes for what is not ASCII, `NaN`, `Infinity`.
impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Int(PyInt::Small(n)) => write!(f, "{n}"),
            Self::Int(PyInt::Big(digits)) => f.write_str(digits),
            Self::Float(x) => f.write_str(&float_repr(*x)),
            Self::Str(text) => write_string(f, text),
            Self::List(items) => {
                f.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_char(']')
            }
            Self::Object(entries) => {
                f.write_char('{')?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write_string(f, key)?;
                    write!(f, ": {value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &PyStr<'_>) -> fmt::Result {
    f.write_char('"')?;
    for code in code_points(text.as_bytes()) {
        match code {
            0x22 => f.write_str("\\\"")?,
            0x5C => f.write_str("\\\\")?,
            0x08 => f.write_str("\\b")?,
            0x0C => f.write_str("\\f")?,
            0x0A => f.write_str("\\n")?,
            0x0D => f.write_str("\\r")?,
            0x09 => f.write_str("\\t")?,
            0x20..=0x7E => f.write_char(code as u8 as char)?,
            0..=0xFFFF => write!(f, "\\u{code:04x}")?,
            _ => {
                let above = code - 0x10000;
                write!(f, "\\u{:04x}\\u{:04x}", 0xD800 + (above >> 10), 0xDC00 + (above & 0x3FF))?;
            }
        }
    }
    f.write_char('"')
}

/// Python's `repr` of a float, as JSON: the fewest digits that read back as the same number, with
/// an exponent below 1e-4 and from 1e16 on.
pub fn float_repr(x: f64) -> String {
    if x.is_nan() {
        return "NaN".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let scientific = shortest(x);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let sign = if digits.starts_with('-') { "-" } else { "" };
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    match usize::try_from(exponent) {
        Err(_) => format!(
            "{sign}0.{:0>width$}",
            digits,
            width = digits.len() + exponent.unsigned_abs() as usize - 1
        ),
        Ok(whole) if digits.len() <= whole + 1 => format!("{sign}{digits:0<width$}.0", width = whole + 1),
        Ok(whole) => format!("{sign}{}.{}", &digits[..whole + 1], &digits[whole + 1..]),
    }
}

/// The fewest digits that read back as the same number, in scientific form. Where two such texts are
/// equally near, Python takes the one that ends in an even digit, and Rust may take the other.
fn shortest(x: f64) -> String {
    let scientific = format!("{x:e}");
    let digits = scientific.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    // With fewer digits than 15, two neighbours are too far apart for both to read back.
    if digits < 15 {
        return scientific;
    }
    let even = format!("{x:.*e}", digits - 1);
    if even.parse() == Ok(x) { even } else { scientific }
}
