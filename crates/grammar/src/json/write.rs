//! Python's `json.dumps`, in ASCII as by default, or with `ensure_ascii=False`.

use std::fmt::{self, Display, Write};

use super::{Object, PyInt, PyStr, Value};
use crate::text::{code_points, lossy};

/// Writes as `json.dumps` does: `", "` and `": "`, escapes for what is not ASCII, `NaN`, `Infinity`.
impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_value(f, self, Charset::Ascii)
    }
}

/// Displays a value as `json.dumps(value, ensure_ascii=False)` writes it. Only lone surrogates, which no
/// text can hold, are escaped.
///
/// ```
/// use toolrl_grammar::json::{self, Unicode};
///
/// let value = json::parse(r#"{"city": "Zürich"}"#).unwrap();
/// assert_eq!(value.to_string(), r#"{"city": "Z\u00fcrich"}"#);
/// assert_eq!(Unicode(&value).to_string(), r#"{"city": "Zürich"}"#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Unicode<'v, 'a>(pub &'v Value<'a>);

impl Display for Unicode<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_value(f, self.0, Charset::Unicode)
    }
}

/// Displays the entries of an object as [`Unicode`] displays the object.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'v, 'a>(pub &'v Object<'a>);

impl Display for Entries<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_entries(f, self.0, Charset::Unicode)
    }
}

/// Which characters stand for themselves.
#[derive(Clone, Copy)]
enum Charset {
    Ascii,
    Unicode,
}

fn write_value(f: &mut fmt::Formatter<'_>, value: &Value<'_>, charset: Charset) -> fmt::Result {
    match value {
        Value::Null => f.write_str("null"),
        Value::Bool(flag) => write!(f, "{flag}"),
        Value::Int(PyInt::Small(n)) => write!(f, "{n}"),
        Value::Int(PyInt::Big(digits)) => f.write_str(digits),
        Value::Float(x) => f.write_str(&float_repr(*x)),
        Value::Str(text) => write_string(f, text, charset),
        Value::List(items) => {
            f.write_char('[')?;
            for (i, item) in items.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { ", " })?;
                write_value(f, item, charset)?;
            }
            f.write_char(']')
        }
        Value::Object(entries) => write_entries(f, entries, charset),
    }
}

fn write_entries(f: &mut fmt::Formatter<'_>, entries: &Object<'_>, charset: Charset) -> fmt::Result {
    f.write_char('{')?;
    for (i, (key, value)) in entries.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        write_string(f, key, charset)?;
        f.write_str(": ")?;
        write_value(f, value, charset)?;
    }
    f.write_char('}')
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &PyStr<'_>, charset: Charset) -> fmt::Result {
    f.write_char('"')?;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let (plain, after) =
            rest.split_at(rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len()));
        f.write_str(&lossy(plain))?;
        let special = after.iter().position(|byte| is_plain(*byte)).unwrap_or(after.len());
        rest = &after[special..];
        code_points(&after[..special]).try_for_each(|code| write_special(f, code, charset))?;
    }
    f.write_char('"')
}

/// Whether a byte is a character that every string shows as it is.
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7E) && byte != b'"' && byte != b'\\'
}

/// Writes a character that is escaped, or not ASCII.
fn write_special(f: &mut fmt::Formatter<'_>, code: u32, charset: Charset) -> fmt::Result {
    match (code, charset) {
        (0x22, _) => f.write_str("\\\""),
        (0x5C, _) => f.write_str("\\\\"),
        (0x08, _) => f.write_str("\\b"),
        (0x0C, _) => f.write_str("\\f"),
        (0x0A, _) => f.write_str("\\n"),
        (0x0D, _) => f.write_str("\\r"),
        (0x09, _) => f.write_str("\\t"),
        (0x7F.., Charset::Unicode) => match char::from_u32(code) {
            Some(c) => f.write_char(c),
            None => write!(f, "\\u{code:04x}"),
        },
        (0..=0xFFFF, _) => write!(f, "\\u{code:04x}"),
        _ => {
            let above = code - 0x10000;
            write!(f, "\\u{:04x}\\u{:04x}", 0xD800 + (above >> 10), 0xDC00 + (above & 0x3FF))
        }
    }
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
