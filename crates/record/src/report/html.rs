//! Pages by templates: whatever a template is given is escaped as it is written.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error, Output, State, UndefinedBehavior};

use crate::RecordError;

pub(super) const STYLE: &str = include_str!("style.css");

/// A page in the style of the reports, by a template that extends `page.html` and fills its block `body`.
///
/// The page's heading is `title` of the context. Any text is escaped but for what [`Value::from_safe_string`] made,
/// such as a chart; the filter `number` writes a number to about four digits.
///
/// # Errors
/// [`RecordError::Page`] for a template that is not one, or that names what the context lacks.
pub fn render_page(template: &str, context: Value) -> Result<String, RecordError> {
    // A line of one tag leaves no line in the page.
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    let mut pages = Environment::new();
    pages.set_syntax(syntax.build()?);
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    pages.set_formatter(write_escaped);
    pages.add_filter("number", number);
    pages.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    pages.add_template("page.html", include_str!("page.html"))?;
    pages.add_template("body.html", template)?;
    Ok(pages.get_template("body.html")?.render(context)?)
}

fn write_escaped(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    let text = value.to_string();
    out.write_str(&if value.is_safe() { text } else { escape(&text) })?;
    Ok(())
}

/// Makes text safe as content and as a quoted attribute. Characters that HTML forbids become U+FFFD.
pub(super) fn escape(text: &str) -> String {
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
