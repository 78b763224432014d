//! Where the keys and values of a JSON object stand in its text.

use toolrl_grammar::Span;
use toolrl_grammar::json::{self, Value};

/// An entry of an object.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key, unescaped.
    pub key: Vec<u8>,
    /// Where it stands, quotes included.
    pub key_span: Span,
    /// Where its value stands.
    pub value_span: Span,
}

/// The entries of the object that stands in `span` of `text`, which is valid JSON; none of anything else. The
/// scan keeps no stack, however deep the values are.
pub(super) fn entries(text: &[u8], span: Span) -> Vec<Entry> {
    let mut scan = Scan { text: &text[..span.end.min(text.len())], at: span.start };
    let mut entries = Vec::new();
    scan.space();
    if !scan.take(b'{') {
        return entries;
    }
    loop {
        scan.space();
        let Some(key_span) = scan.string() else { return entries };
        let Ok(Value::Str(key)) = json::parse(key_span.of(text)) else { return entries };
        scan.space();
        if !scan.take(b':') {
            return entries;
        }
        scan.space();
        let value_span = scan.value();
        entries.push(Entry { key: key.as_bytes().to_vec(), key_span, value_span });
        scan.space();
        if !scan.take(b',') {
            return entries;
        }
    }
}

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn string(&mut self) -> Option<Span> {
        let start = self.at;
        if !self.take(b'"') {
            return None;
        }
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        self.at = self.at.min(self.text.len());
        Some(Span::new(start, self.at))
    }

    fn value(&mut self) -> Span {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string();
                    if depth == 0 {
                        break;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' | b',' if depth == 0 => break,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        break;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        let end = self.text[start..self.at].trim_ascii_end().len() + start;
        Span::new(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_found_with_their_places() {
        let text = br#"x {"name" : "f\"{", "a\u0062":{"x": [1, {"}": 2}]} ,"n":-1e5 } y"#;
        let found = entries(text, Span::new(1, text.len() - 1));
        let parts: Vec<_> = found
            .iter()
            .map(|entry| {
                let part = |span: Span| String::from_utf8_lossy(span.of(text)).into_owned();
                (
                    String::from_utf8_lossy(&entry.key).into_owned(),
                    part(entry.key_span),
                    part(entry.value_span),
                )
            })
            .collect();
        let expected = [
            ("name", r#""name""#, r#""f\"{""#),
            ("ab", r#""a\u0062""#, r#"{"x": [1, {"}": 2}]}"#),
            ("n", r#""n""#, "-1e5"),
        ];
        assert_eq!(parts, expected.map(|(a, b, c)| (a.into(), b.into(), c.into())));
        for other in ["", "[]", "{}", "1", "{\"a\"", "{\"a\":", "{\"a", "\\"] {
            assert!(entries(other.as_bytes(), Span::new(0, other.len())).len() <= 1, "{other}");
        }
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(900), "]".repeat(900));
        assert_eq!(entries(deep.as_bytes(), Span::new(0, deep.len())).len(), 1);
    }
}
