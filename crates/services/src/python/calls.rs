//! The text of a call, `name(keyword=literal)`, written and read.

use num_bigint::BigInt;

use super::Outcome;
use super::reader::Reader;
use crate::value::Value;

/// A call that was read.
#[derive(Debug)]
pub(crate) struct Call {
    /// The function, dots included.
    pub(crate) name: String,
    pub(crate) positional: Vec<Value>,
    pub(crate) keywords: Vec<(String, Value)>,
    /// The first name among the arguments that is no literal: to evaluate it raises.
    pub(crate) unknown: Option<String>,
}

/// The call as the released decoder writes it, `name(keyword=repr, …)`.
pub(crate) fn call_text<'a>(name: &str, parameters: impl Iterator<Item = (&'a str, Value)>) -> String {
    let arguments: Vec<String> = parameters.map(|(key, value)| format!("{key}={}", value.repr())).collect();
    format!("{name}({})", arguments.join(", "))
}

/// Reads a call of literals.
///
/// # Errors
/// Python's `SyntaxError`. Its text tells fewer kinds of errors apart than Python's.
pub(crate) fn parse_call(text: &str) -> Outcome<Call> {
    Reader::new(text).call()
}

/// The value that unary minus makes.
pub(super) fn negated(value: Value) -> Value {
    match value {
        Value::Int(n) => Value::Int(-n),
        Value::Float(x) => Value::Float(-x),
        Value::Bool(flag) => Value::Int(-BigInt::from(i64::from(flag))),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{call_text, parse_call};
    use crate::value::Value;

    /// The keywords of a call as `repr`s.
    fn keywords(text: &str) -> String {
        let call = parse_call(text).unwrap();
        call.keywords
            .iter()
            .map(|(key, value)| format!("{key}={}", value.repr()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn literals_are_read_as_python_reads_them() {
        let cases = [
            ("f(a='x', b=\"it's\")", "a='x' b=\"it's\""),
            (r"f(a='it\'s \x41\u00e9\U0001F600\n\0\101')", "a=\"it's Aé😀\\n\\x00A\""),
            (
                r"f(a='\q\
b')",
                r"a='\\qb'",
            ),
            ("f(a=1, b=-2.5, c=1e3, d=-0.0, e=.5, f=1_000)", "a=1 b=-2.5 c=1000.0 d=-0.0 e=0.5 f=1000"),
            (
                "f(a=[1, [True, None],], b={}, c={'k': [False], 2: 'v'})",
                "a=[1, [True, None]] b={} c={'k': [False], 2: 'v'}",
            ),
            ("f(a='x' 'y')", "a='xy'"),
            ("f(a='''it's\n''' 'x', b=\"\"\"\"\"\", c='')", "a=\"it's\\nx\" b='' c=''"),
            ("f(a=[1, ...]) # a comment", "a=[1, Ellipsis]"),
            ("f( # a comment\n a='#')", "a='#'"),
            (" f ( a = 1 , ) ", "a=1"),
            ("f()", ""),
        ];
        for (text, wanted) in cases {
            assert_eq!(keywords(text), wanted, "{text}");
        }
        assert_eq!(parse_call("a.f('x', [2])").unwrap().positional.len(), 2);
        assert_eq!(parse_call("f(a=[inf], b=nan)").unwrap().unknown.as_deref(), Some("inf"));
    }

    #[test]
    fn what_is_no_call_of_literals_is_an_error() {
        let cases = [
            "",
            "f",
            "f(",
            "f(a=)",
            "f(a=1",
            "f(a=1) g",
            "(a=1)",
            "f(a='x)",
            "f(a='x\n')",
            "f(a='''x'')",
            "f(a=..)",
            "f(a b=1)",
            "f(class=1)",
            "f(a={1})",
            "f(a=1, 2)",
            "f(a=1, a=2)",
            "f(a=01)",
            "f(a=g())",
            "f(a={'k' 1})",
            "1f()",
            "f(,)",
            "f(a=1 2)",
        ];
        for text in cases {
            assert!(parse_call(text).is_err(), "{text}");
        }
        let deep = format!("f(a={}{})", "[".repeat(200), "]".repeat(200));
        assert_eq!(parse_call(&deep).unwrap_err().text, "too many nested parentheses (<string>, line 1)");
    }

    #[test]
    fn a_call_that_was_written_reads_back() {
        let values = ["'\"\\\u{7f}\u{200b}é", "plain", ""];
        for value in values {
            let text = call_text("f", [("a", Value::from(value))].into_iter());
            assert_eq!(parse_call(&text).unwrap().keywords, [("a".to_owned(), Value::from(value))], "{text}");
        }
    }
}
