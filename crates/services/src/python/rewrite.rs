//! How the released evaluator points a call's text at the instances.

/// Every word before a `(` as `instance` names it. White space between the two goes. Words inside string
/// literals are no exception, so that a text such as `see (below)` loses its space; this decides results.
pub(crate) fn rewrite(text: &str, qualified: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        out.push_str(&rest[..start]);
        let from_word = &rest[start..];
        let (word, after) = from_word.split_at(from_word.find(|c| !is_word(c)).unwrap_or(from_word.len()));
        let trimmed = after.trim_start_matches(super::text::is_space);
        let called =
            trimmed.starts_with('(') && word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        rest = if called { trimmed } else { after };
        match qualified(word).filter(|_| called) {
            Some(name) => out.push_str(&name),
            None => out.push_str(word),
        }
    }
    out.push_str(rest);
    out
}

/// Python's `\w`.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn calls_are_qualified_wherever_they_stand() {
        let cases = [
            ("cd(folder='a')", "i.cd(folder='a')"),
            ("cd  (folder='a')", "i.cd(folder='a')"),
            ("echo(content='to cd (or not)')", "echo(content='to i.cd(or not)')"),
            ("f(x='see (below) 2cd (no) é (no)')", "f(x='see(below) 2cd (no) é (no)')"),
            ("x='\\ncd (a'", "x='\\ncd(a'"),
            ("", ""),
        ];
        for (text, wanted) in cases {
            assert_eq!(rewrite(text, |word| (word == "cd").then(|| "i.cd".into())), wanted, "{text}");
        }
    }
}
