//! PTX as words and signs.

/// Splits a text into words (names, opcodes with their modifiers, numbers) and single signs. Comments and the lines
/// that tell where in a source a statement comes from are left out.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        if [".loc", ".file", ".pragma"].iter().any(|skipped| line.starts_with(skipped)) {
            continue;
        }
        split(line, &mut all);
    }
    all
}

fn split<'a>(line: &'a str, all: &mut Vec<&'a str>) {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        while at < bytes.len() && in_word(bytes, at) {
            at += if bytes[at] == b':' { 2 } else { 1 };
        }
        if at > start {
            all.push(&line[start..at]);
        } else {
            if !bytes[at].is_ascii_whitespace() {
                all.push(&line[at..at + 1]);
            }
            at += 1;
        }
    }
}

/// `::` belongs to a word (`shared::cta`), a single colon ends a label.
fn in_word(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b':' => bytes.get(at + 1) == Some(&b':'),
        byte => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'%' | b'.'),
    }
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn words_and_signs() {
        let text = "\t.loc\t1 36 0\n$L_1: @!%p1 st.shared::cta.b16 [%rd1+-8], {%r1, 0f3F800000}; // end";
        let expected = [
            "$L_1",
            ":",
            "@",
            "!",
            "%p1",
            "st.shared::cta.b16",
            "[",
            "%rd1",
            "+",
            "-",
            "8",
            "]",
            ",",
            "{",
            "%r1",
            ",",
            "0f3F800000",
            "}",
            ";",
        ];
        assert_eq!(tokens(text), expected);
    }
}
