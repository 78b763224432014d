//! Values as Python literals.

use std::fmt::{self, Display, Write as _};

use crate::json::{PyStr, Unicode, Value};
use crate::text::code_points;

/// Displays a value as a Python literal: `True`, `None`, strings in single quotes unless they hold some and no
/// double ones, white space and control characters escaped. Python's own `repr` escapes further characters;
/// which ones depends on its version.
#[derive(Clone, Copy, Debug)]
pub struct Python<'v, 'a>(pub &'v Value<'a>);

impl Display for Python<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("None"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Str(text) => string(f, text),
            Value::List(items) => {
                f.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if i == 0 { "" } else { ", " }, Python(item))?;
                }
                f.write_char(']')
            }
            Value::Object(entries) => {
                f.write_char('{')?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    string(f, key)?;
                    write!(f, ": {}", Python(value))?;
                }
                f.write_char('}')
            }
            number => write!(f, "{}", Unicode(number)),
        }
    }
}

fn string(f: &mut fmt::Formatter<'_>, text: &PyStr<'_>) -> fmt::Result {
    let bytes = text.as_bytes();
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    f.write_char(quote)?;
    for code in code_points(bytes) {
        match char::from_u32(code) {
            Some('\n') => f.write_str("\\n")?,
            Some('\r') => f.write_str("\\r")?,
            Some('\t') => f.write_str("\\t")?,
            Some(c) if c == quote || c == '\\' => write!(f, "\\{c}")?,
            Some(c) if c < ' ' || c == '\u{7f}' => write!(f, "\\x{code:02x}")?,
            Some(c) => f.write_char(c)?,
            None => write!(f, "\\u{code:04x}")?,
        }
    }
    f.write_char(quote)
}
