//! Python's `repr` of what its JSON decoder returns.

use std::sync::LazyLock;

use regex::Regex;
use toolrl_grammar::json::{PyInt, PyStr, Value, float_repr};
use toolrl_grammar::text::{code_points, push_code_point};

/// Python's `repr(value)`, in generalised UTF-8.
///
/// Which characters are escaped depends on the version of Unicode, so a character younger than a
/// Python's tables stands plain here and escaped there.
///
/// ```
/// let value = toolrl_grammar::json::parse(r#"{"a": [null, true, 1.0, "it's"]}"#).unwrap();
/// assert_eq!(toolrl_bfcl::python::repr(&value), br#"{'a': [None, True, 1.0, "it's"]}"#);
/// ```
pub fn repr(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => out.extend(b"None"),
        Value::Bool(true) => out.extend(b"True"),
        Value::Bool(false) => out.extend(b"False"),
        Value::Int(PyInt::Small(n)) => out.extend(n.to_string().bytes()),
        Value::Int(PyInt::Big(digits)) => out.extend(digits.bytes()),
        Value::Float(x) if x.is_nan() => out.extend(b"nan"),
        Value::Float(x) if x.is_infinite() => out.extend(if *x > 0.0 { &b"inf"[..] } else { b"-inf" }),
        Value::Float(x) => out.extend(float_repr(*x).bytes()),
        Value::Str(text) => write_string(out, text),
        Value::List(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                out.extend(if i == 0 { &b""[..] } else { b", " });
                write_value(out, item);
            }
            out.push(b']');
        }
        Value::Object(entries) => {
            out.push(b'{');
            for (i, (key, value)) in entries.iter().enumerate() {
                out.extend(if i == 0 { &b""[..] } else { b", " });
                write_string(out, key);
                out.extend(b": ");
                write_value(out, value);
            }
            out.push(b'}');
        }
    }
}

/// Single quotes, unless the text has some and no double ones.
fn write_string(out: &mut Vec<u8>, text: &PyStr<'_>) {
    let bytes = text.as_bytes();
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    out.push(quote);
    for code in code_points(bytes) {
        match code {
            0x09 => out.extend(b"\\t"),
            0x0A => out.extend(b"\\n"),
            0x0D => out.extend(b"\\r"),
            0x5C => out.extend(b"\\\\"),
            _ if code == u32::from(quote) => out.extend([b'\\', quote]),
            _ if is_printable(code) => push_code_point(out, code),
            _ => write_escape(out, code),
        }
    }
    out.push(quote);
}

fn write_escape(out: &mut Vec<u8>, code: u32) {
    let escape = match code {
        0..=0xFF => format!("\\x{code:02x}"),
        0x100..=0xFFFF => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    };
    out.extend(escape.bytes());
}

/// `str.isprintable` of one character: neither of the categories "other" and "separator", the space
/// aside.
fn is_printable(code: u32) -> bool {
    static OTHER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{C}\p{Z}]$").ok());
    match code {
        0x20..=0x7E => true,
        0..=0xA0 => false,
        _ => char::from_u32(code)
            .is_some_and(|c| OTHER.as_ref().is_none_or(|other| !other.is_match(c.encode_utf8(&mut [0; 4])))),
    }
}

#[cfg(test)]
mod tests {
    use toolrl_grammar::json;

    use super::*;

    #[test]
    fn strings_are_pythons() {
        // Printed by Python 3.11.
        let cases = [
            (r#""""#, "''"),
            (r#""it's""#, "\"it's\""),
            (r#""say \"hi\"""#, "'say \"hi\"'"),
            (r#""both ' and \"""#, r#"'both \' and "'"#),
            (r#""\\ \t\n\r\u0000\u007f\u00a0\u00ad""#, r"'\\ \t\n\r\x00\x7f\xa0\xad'"),
            (r#""\u00e9 \u4e2d \ud83d\ude00""#, "'é 中 😀'"),
            (r#""\u200b\u2028\ufeff\ue000\ud800""#, r"'\u200b\u2028\ufeff\ue000\ud800'"),
            (r#""\udb40\udc01""#, r"'\U000e0001'"),
        ];
        for (text, expected) in cases {
            let value = json::parse(text).unwrap();
            assert_eq!(String::from_utf8_lossy(&repr(&value)), expected, "{text}");
        }
    }

    #[test]
    fn numbers_and_containers_are_pythons() {
        let cases = [
            ("[1e400, -1e400, NaN]", "[inf, -inf, nan]"),
            (
                "[1e16, 1e-5, 0.1, -0.0, 100000000000000000000]",
                "[1e+16, 1e-05, 0.1, -0.0, 100000000000000000000]",
            ),
            (r#"{"a": {}, "b": []}"#, "{'a': {}, 'b': []}"),
        ];
        for (text, expected) in cases {
            assert_eq!(String::from_utf8_lossy(&repr(&json::parse(text).unwrap())), expected);
        }
    }
}
