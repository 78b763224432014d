//! The form in which strings are compared.

use std::borrow::Cow;

use toolrl_grammar::json::{PyStr, Value, identical_or_equal};
use toolrl_grammar::text::{code_points, push_code_point};

/// The text in lower case, without spaces and `,./-_*^`, single quotes made double.
pub(super) fn standard(text: &[u8]) -> Vec<u8> {
    let kept = text.iter().copied().filter(|byte| !b" ,./-_*^".contains(byte));
    if text.is_ascii() {
        return kept.map(|byte| if byte == b'\'' { b'"' } else { byte.to_ascii_lowercase() }).collect();
    }
    let kept: Vec<u8> = kept.collect();
    let mut lower = Vec::with_capacity(kept.len());
    for chunk in kept.utf8_chunks() {
        lower.extend(chunk.valid().to_lowercase().replace('\'', "\"").into_bytes());
        lower.extend(chunk.invalid());
    }
    lower
}

/// Python's `==` of two values, strings in their standard form. What lists and objects hold is
/// compared as it stands.
pub(super) fn standard_equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => standard(a.as_bytes()) == standard(b.as_bytes()),
        _ => identical_or_equal(a, b),
    }
}

/// The items of an option that must be a list: of a string its characters.
pub(super) fn as_items<'v, 'a>(option: &'v Value<'a>) -> Option<Cow<'v, [Value<'a>]>> {
    match option {
        Value::List(items) => Some(Cow::Borrowed(items)),
        Value::Str(text) => Some(code_points(text.as_bytes()).map(character).collect()),
        _ => None,
    }
}

fn character<'a>(code: u32) -> Value<'a> {
    let mut text = Vec::new();
    push_code_point(&mut text, code);
    Value::Str(PyStr(Cow::Owned(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_standardised() {
        let cases: [(&str, &str); 5] = [
            ("April 1, 2024", "april12024"),
            ("A_b-c/d.e*f^g", "abcdefg"),
            ("it's \"X\"\t(ok)", "it\"s\"x\"\t(ok)"),
            ("ÉCOLE d'été ΣΟΦΟΣ", "écoled\"étéσοφος"),
            ("İ", "i\u{307}"),
        ];
        for (text, expected) in cases {
            assert_eq!(String::from_utf8_lossy(&standard(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(standard(b"A\xed\xa0\x80B \xff"), b"a\xed\xa0\x80b\xff");
    }
}
