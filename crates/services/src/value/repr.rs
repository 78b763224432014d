//! Python's `str` and `repr`.

use std::fmt::{self, Display, Write};

use toolrl_grammar::json;

use super::Value;

/// Writes as Python's `str` does.
impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => f.write_str(text),
            _ => write_repr(f, self),
        }
    }
}

impl Value {
    /// Python's `repr(value)`.
    pub(crate) fn repr(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write_repr(&mut text, self);
        text
    }
}

fn write_repr(out: &mut impl Write, value: &Value) -> fmt::Result {
    match value {
        Value::None => out.write_str("None"),
        Value::Bool(true) => out.write_str("True"),
        Value::Bool(false) => out.write_str("False"),
        Value::Int(n) => write!(out, "{n}"),
        Value::Float(x) => out.write_str(&float_repr(*x)),
        Value::Str(text) => write_quoted(out, text),
        Value::Opaque(repr) => out.write_str(repr),
        Value::List(items) => {
            out.write_char('[')?;
            for (i, item) in items.iter().enumerate() {
                out.write_str(if i == 0 { "" } else { ", " })?;
                write_repr(out, item)?;
            }
            out.write_char(']')
        }
        Value::Dict(entries) => {
            out.write_char('{')?;
            for (i, (key, value)) in entries.iter().enumerate() {
                out.write_str(if i == 0 { "" } else { ", " })?;
                write_repr(out, &key.value())?;
                out.write_str(": ")?;
                write_repr(out, value)?;
            }
            out.write_char('}')
        }
    }
}

/// Python's `repr` of a float.
pub(crate) fn float_repr(x: f64) -> String {
    if x.is_nan() {
        "nan".into()
    } else if x.is_infinite() {
        if x > 0.0 { "inf" } else { "-inf" }.into()
    } else {
        json::float_repr(x)
    }
}

/// Single quotes, unless the text holds one and no double quote.
fn write_quoted(out: &mut impl Write, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            _ if c == quote => write!(out, "\\{c}")?,
            _ if is_printable(c) => out.write_char(c)?,
            _ => match u32::from(c) {
                code @ 0..=0xFF => write!(out, "\\x{code:02x}")?,
                code @ 0x100..=0xFFFF => write!(out, "\\u{code:04x}")?,
                code => write!(out, "\\U{code:08x}")?,
            },
        }
    }
    out.write_char(quote)
}

/// Python's `str.isprintable`. The standard library escapes the same categories (Cc, Cf, Cs, Co, Cn, Zl,
/// Zp, Zs but for the space), and combining marks too unless another character goes before.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut buffer = [b'a'; 5];
    let length = 1 + c.encode_utf8(&mut buffer[1..]).len();
    std::str::from_utf8(&buffer[..length]).is_ok_and(|text| text.escape_debug().count() == 2)
}
