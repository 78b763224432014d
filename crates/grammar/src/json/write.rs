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

/// Python's `repr` of a float, as JSON: the fewest digits that read back as the same number, of
/// two equally near the even one, with an exponent below 1e-4 and from 1e16 on.
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
    let figures: String = digits.chars().filter(char::is_ascii_digit).collect();
    match usize::try_from(exponent) {
        Ok(above) if figures.len() > above + 1 => {
            let (whole, fraction) = figures.split_at(above + 1);
            format!("{sign}{whole}.{fraction}")
        }
        Ok(above) => format!("{sign}{figures:0<width$}.0", width = above + 1),
        Err(_) => format!("{sign}0.{}{figures}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
    }
}

/// The fewest digits in scientific notation. The standard library's own are as few, but of two
/// equally near it does not take the even one. Only numbers of so many digits can be so near.
fn shortest(x: f64) -> String {
    let scientific = format!("{x:e}");
    let places = scientific.split('e').next().map_or(0, |digits| digits.trim_start_matches('-').len());
    if places < 17 {
        return scientific;
    }
    // Rounded exactly, halves to even.
    let even = format!("{x:.places$e}", places = places - 2);
    if even.parse() == Ok(x) { even } else { scientific }
}
