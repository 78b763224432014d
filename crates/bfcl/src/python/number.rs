//! Python's `int(text)` and `float(text)`.

use std::borrow::Cow;

use toolrl_grammar::json::{MAX_INTEGER_DIGITS, PyInt};
use toolrl_grammar::text;

/// `int(text)`: white space around, a sign, digits with single underscores between them. Digits of
/// other scripts, which Python takes too, are refused.
pub(crate) fn integer(text: &str) -> Option<PyInt<'static>> {
    let text = stripped(text);
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let digits = without_underscores(digits)?;
    if digits.len() > MAX_INTEGER_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    let number = format!("{sign}{significant}");
    match number.parse() {
        Ok(small) => Some(PyInt::Small(small)),
        Err(_) if significant.is_empty() => Some(PyInt::Small(0)),
        Err(_) => Some(PyInt::Big(Cow::Owned(number))),
    }
}

/// `float(text)`: as [`integer`], or with a fraction or an exponent, or `inf`, `infinity`, `nan`.
pub(crate) fn float(text: &str) -> Option<f64> {
    without_underscores(stripped(text))?.parse().ok()
}

fn stripped(text: &str) -> &str {
    std::str::from_utf8(text::strip(text.as_bytes())).unwrap_or_default()
}

/// The text with the underscores between its digits left out; `None` where it is empty or one
/// stands elsewhere.
fn without_underscores(text: &str) -> Option<Cow<'_, str>> {
    if text.is_empty() {
        return None;
    }
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    let between = |at: usize| at > 0 && is_digit(bytes.get(at - 1)) && is_digit(bytes.get(at + 1));
    text.match_indices('_').all(|(at, _)| between(at)).then(|| Cow::Owned(text.replace('_', "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_pythons() {
        let cases = [
            ("12", Some("Small(12)")),
            (" -7\n", Some("Small(-7)")),
            ("+0_1", Some("Small(1)")),
            ("-000", Some("Small(0)")),
            ("1_000", Some("Small(1000)")),
            ("00099999999999999999999", Some("Big(\"99999999999999999999\")")),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("", None),
            ("-", None),
            ("1.0", None),
            ("0x10", None),
            ("1 2", None),
        ];
        for (text, expected) in cases {
            let found = integer(text).map(|number| format!("{number:?}"));
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
        assert!(integer(&"9".repeat(4301)).is_none());
    }

    #[test]
    fn floats_are_pythons() {
        let numbers =
            [("1.", 1.0), (".5", 0.5), (" 1e5 ", 1e5), ("-InFinity", f64::NEG_INFINITY), ("1_0.5", 10.5)];
        for (text, expected) in numbers {
            assert_eq!(float(text), Some(expected), "{text:?}");
        }
        assert!(float("NaN").is_some_and(f64::is_nan));
        for text in ["", ".", "e5", "1f", "1_.5", "one", "0x1p3"] {
            assert_eq!(float(text), None, "{text:?}");
        }
    }
}
