//! Python's notion of text: code points (lone surrogates too) and white space.

/// Appends a code point in generalised UTF-8: a surrogate takes three bytes, as any other of its
/// size. A number beyond U+10FFFF becomes U+FFFD.
pub fn push_code_point(out: &mut Vec<u8>, code: u32) {
    if let 0xD800..=0xDFFF = code {
        out.extend([0xED, 0x80 | (code >> 6 & 0x3F) as u8, 0x80 | (code & 0x3F) as u8]);
        return;
    }
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The first code point of a text and its length in bytes. A byte that begins none is U+FFFD.
fn first_code_point(text: &[u8]) -> Option<(u32, usize)> {
    let first = *text.first()?;
    let (len, bits) = match first {
        0..=0x7F => return Some((u32::from(first), 1)),
        0xC2..=0xDF => (2, first & 0x1F),
        0xE0..=0xEF => (3, first & 0x0F),
        0xF0..=0xF4 => (4, first & 0x07),
        _ => return Some((0xFFFD, 1)),
    };
    let mut code = u32::from(bits);
    for i in 1..len {
        match text.get(i) {
            Some(byte @ 0x80..=0xBF) => code = code << 6 | u32::from(byte & 0x3F),
            _ => return Some((0xFFFD, 1)),
        }
    }
    Some((code, len))
}

/// The code points of a text in generalised UTF-8; a byte that is none counts as U+FFFD.
pub fn code_points(text: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (code, len) = first_code_point(rest)?;
        rest = rest.get(len..).unwrap_or_default();
        Some(code)
    })
}

/// Python's `len` of a string: its number of code points.
pub fn length(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

/// The text for a reader: what is not UTF-8 (lone surrogates too) is replaced.
pub fn lossy(text: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(text)
}

/// Whether Python's `str.isspace` holds: Unicode's white space and U+001C to U+001F.
pub fn is_space(code: u32) -> bool {
    matches!(code, 0x1C..=0x1F) || char::from_u32(code).is_some_and(char::is_whitespace)
}

/// The text without white space at either end: Python's `str.strip`.
pub fn strip(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some((code, len)) = first_code_point(rest)
        && is_space(code)
    {
        rest = rest.get(len..).unwrap_or_default();
    }
    while let Some((code, len)) = last_code_point(rest)
        && is_space(code)
    {
        rest = rest.get(..rest.len() - len).unwrap_or_default();
    }
    rest
}

/// The last code point of a text and its length in bytes.
fn last_code_point(text: &[u8]) -> Option<(u32, usize)> {
    let back = text.iter().rev().take(4).position(|&byte| byte & 0xC0 != 0x80)? + 1;
    let (code, len) = first_code_point(text.get(text.len() - back..)?)?;
    Some(if len == back { (code, len) } else { (0xFFFD, 1) })
}

/// How many words white space separates: the length of Python's `str.split()`.
pub fn count_words(text: &[u8]) -> usize {
    let mut words = 0;
    let mut inside = false;
    for code in code_points(text) {
        let word = !is_space(code);
        words += usize::from(word && !inside);
        inside = word;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_pythons_29_code_points() {
        let spaces: Vec<u32> = (0..=0x10FFFF).filter(|&code| is_space(code)).collect();
        assert_eq!(spaces.len(), 29);
        for not in [0x200B, 0xFEFF, 0x180E, 0x2060] {
            assert!(!is_space(not));
        }
    }

    #[test]
    fn strip_and_words() {
        let cases: [(&str, &str, usize); 6] = [
            ("", "", 0),
            (" \u{1c}\u{3000} ", "", 0),
            ("\u{2003}a b\u{85}", "a b", 2),
            ("\u{feff} a", "\u{feff} a", 2),
            ("a\u{1f}b\u{a0}c", "a\u{1f}b\u{a0}c", 3),
            ("é", "é", 1),
        ];
        for (text, stripped, words) in cases {
            assert_eq!(strip(text.as_bytes()), stripped.as_bytes(), "{text:?}");
            assert_eq!(count_words(text.as_bytes()), words, "{text:?}");
        }
    }

    #[test]
    fn code_points_survive_a_round_trip() {
        let codes = [0, 0x41, 0xE9, 0xD800, 0xDFFF, 0xFFFD, 0x1F600, 0x10FFFF];
        let mut text = Vec::new();
        for code in codes {
            push_code_point(&mut text, code);
        }
        assert_eq!(code_points(&text).collect::<Vec<_>>(), codes);
        assert_eq!(length(&text), codes.len());
    }

    #[test]
    fn broken_bytes_are_replacement_characters() {
        for text in [&b"\xff"[..], b"\xe2\x82", b"\x80\x80\x80\x80\x80"] {
            assert!(code_points(text).all(|code| code == 0xFFFD));
            assert_eq!(strip(text), text);
        }
    }
}
