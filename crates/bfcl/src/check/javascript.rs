//! JavaScript source text to values.
//!
//! The patterns are those of the official scorer, here on an engine of linear time or written out
//! by hand. What does not match stays text, of which collections lose the white space around.

use regex::Regex;
use toolrl_grammar::json::{Object, PyStr, Value};
use toolrl_grammar::text;

use super::java::{Pattern, flag, group, without_ends};
use crate::python::{float, integer};
use crate::{Declared, Parameter};

/// The value of an argument; `None` where it stays the text that it is.
pub(super) fn convert(source: &str, parameter: &Parameter) -> Option<Value<'static>> {
    static WHOLE: Pattern = Pattern::new(|| Regex::new(r"^(-?[0-9]+)\n?$"));
    static REAL: Pattern = Pattern::new(|| Regex::new(r"^(-?[0-9]+(?:\.[0-9]+)?)\n?$"));
    static BIG: Pattern = Pattern::new(|| Regex::new(r"^(-?[0-9]+)n$"));
    match parameter.declared {
        Declared::Str => quoted(source).map(|inside| Value::str(inside.to_string())),
        Declared::Integer => integer(group(&WHOLE, source)?).map(Value::Int),
        Declared::Bigint => integer(group(&BIG, source)?).map(Value::Int),
        Declared::Float => float(group(&REAL, source)?).map(Value::Float),
        Declared::Boolean => flag(source),
        Declared::Array => {
            let source = stripped(source);
            Some(array(source, parameter.items).unwrap_or_else(|| Value::str(source.to_string())))
        }
        Declared::Dict => {
            let source = stripped(source);
            Some(dict(source).unwrap_or_else(|| Value::str(source.to_string())))
        }
        _ => None,
    }
}

/// A list of lists, or else a list, at the start of the text.
fn array(source: &str, items: Option<Declared>) -> Option<Value<'static>> {
    static NESTED: Pattern = Pattern::new(|| {
        Regex::new(concat!(
            r"^((?:\[\s*\[.*?\]\s*(?:,\s*\[.*?\]\s*)*\]",
            r"|\bnew\s+Array\(\s*\[.*?\]\s*(?:,\s*\[.*?\]\s*)*\)))"
        ))
    });
    static INNER: Pattern = Pattern::new(|| Regex::new(r"\[(.*?)\]"));
    static BRACKETS: Pattern = Pattern::new(|| Regex::new(r"^\[(.*?)\]"));
    static CONSTRUCTOR: Pattern = Pattern::new(|| Regex::new(r"^new\s+Array\((.*?)\)"));
    if let Some(nested) = group(&NESTED, source) {
        let groups = INNER.as_ref().ok()?.captures_iter(nested).filter_map(|inner| inner.get(1));
        let lists = groups.enumerate().map(|(index, inner)| {
            let inner = stripped(inner.as_str());
            let inner = if index == 0 { inner.strip_prefix('[').unwrap_or(inner) } else { inner };
            Value::List(inner.split(',').map(guess).collect())
        });
        return Some(Value::List(lists.collect()));
    }
    let inside = stripped(group(&BRACKETS, source).or_else(|| group(&CONSTRUCTOR, source))?);
    let parts = inside.split(',').filter(|_| !inside.is_empty()).map(stripped);
    let item = |part: &str| match items {
        None => guess(part),
        Some(declared) => convert(part, &Parameter { declared, items: None })
            .unwrap_or_else(|| Value::str(part.to_string())),
    };
    Some(Value::List(parts.map(item).collect()))
}

/// An object at the start of the text, up to the first closing brace.
fn dict(source: &str) -> Option<Value<'static>> {
    static BRACES: Pattern = Pattern::new(|| Regex::new(r"^\{(.*?)\}"));
    let content = group(&BRACES, source)?;
    let mut entries = Object::default();
    for (key, value) in pairs(content) {
        let key = stripped(key).trim_matches(['\'', '"']);
        let value = stripped(value);
        let list = value.starts_with('[') && value.ends_with(']');
        let converted = match list {
            true => array(value, None).unwrap_or_else(|| Value::str(value.to_string())),
            false => guess(value.trim_matches(['\'', '"'])),
        };
        entries.insert(PyStr::from(key.to_string()), converted);
    }
    Some(Value::Object(entries))
}

/// The pairs of a key, a colon and a value in a text without braces and line ends. A value ends at
/// the first comma before which a next key could begin: one with a colon, and something in front of
/// it, before the comma after.
fn pairs(content: &str) -> Vec<(&str, &str)> {
    let bytes = content.as_bytes();
    let mut pairs = Vec::new();
    let mut start = 0;
    while let Some(colon) = memchr_from(bytes, b':', start) {
        // A key has at least one character: a colon in its place is passed over.
        if colon == start {
            start += 1;
            continue;
        }
        let key = &content[start..colon];
        let value_start = colon + 1;
        let mut search = value_start;
        let (end, next) = loop {
            let Some(comma) = memchr_from(bytes, b',', search) else {
                break (content.len(), content.len());
            };
            match next_key(content, comma) {
                Some(next) => break (comma, next),
                None => search = comma + 1,
            }
        };
        pairs.push((key, &content[value_start..end]));
        start = next;
    }
    pairs
}

/// Where the next key begins after a comma, white space left out unless the key would be nothing
/// but that.
fn next_key(content: &str, comma: usize) -> Option<usize> {
    let after = &content[comma + 1..];
    let segment = &after[..after.find(',').unwrap_or(after.len())];
    let colon = segment.rfind(':')?;
    let is_space = |c: char| text::is_space(u32::from(c));
    let spaces = segment.len() - segment.trim_start_matches(is_space).len();
    if colon > spaces {
        return Some(comma + 1 + spaces);
    }
    let (last, _) = segment[..spaces].char_indices().next_back()?;
    Some(comma + 1 + last)
}

fn memchr_from(bytes: &[u8], byte: u8, from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter().position(|&other| other == byte).map(|at| from + at)
}

/// A value of an undeclared type: a flag, quoted text, any number, else text.
fn guess(source: &str) -> Value<'static> {
    let source = stripped(source);
    let number = || integer(source).map(Value::Int).or_else(|| float(source).map(Value::Float));
    let text = |inside: &str| Value::str(inside.to_string());
    let found = flag(source).or_else(|| quoted(source).map(text)).or_else(number);
    found.unwrap_or_else(|| text(source))
}

/// What stands between a pair of equal quotes.
fn quoted(source: &str) -> Option<&str> {
    let pair = |quote| source.starts_with(quote) && source.ends_with(quote);
    (pair('"') || pair('\'')).then(|| without_ends(source))
}

fn stripped(source: &str) -> &str {
    std::str::from_utf8(text::strip(source.as_bytes())).unwrap_or_default()
}
