//! Text in HTML.

/// Makes text safe as content and as a quoted attribute. Characters that HTML forbids become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A number to about four digits, without a tail of zeros.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".into();
    }
    if !size.is_finite() {
        return value.to_string();
    }
    if !(1e-3..1e6).contains(&size) {
        let scientific = format!("{value:.2e}");
        let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        return format!("{}e{power}", without_zero_tail(digits));
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
    let fixed = format!("{value:.decimals$}");
    without_zero_tail(&fixed).to_owned()
}

fn without_zero_tail(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_text_is_markup() {
        assert_eq!(escape("<b a=\"1\">&'</b>\u{0}"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;&lt;/b&gt;\u{fffd}");
        assert_eq!(escape("ü\n\t🌍"), "ü\n\t🌍");
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.12345678, "0.1235"),
            (1234.5678, "1235"),
            (20000.0, "20000"),
            (100.0, "100"),
            (1e-6, "1e-6"),
            (2.5e7, "2.5e7"),
            (-1.25e-5, "-1.25e-5"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }
}
