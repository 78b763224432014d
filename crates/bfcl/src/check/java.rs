//! Java source text to values.
//!
//! The patterns are those of the official scorer, here on an engine of linear time. What does not
//! match stays text.

use std::sync::LazyLock;

use regex::Regex;
use toolrl_grammar::json::{Object, PyStr, Value};

use crate::python::{float, integer};
use crate::{Declared, Parameter};

/// The value of an argument; `None` where it stays the text that it is.
pub(super) fn convert(text: &str, parameter: &Parameter) -> Option<Value<'static>> {
    match parameter.declared {
        Declared::Array => array(text, parameter.items),
        Declared::ArrayList => array_list(text, parameter.items),
        Declared::HashMap => hash_map(text),
        declared => scalar(text, declared),
    }
}

fn scalar(text: &str, declared: Declared) -> Option<Value<'static>> {
    static WHOLE: Pattern = Pattern::new(|| Regex::new(r"^(-?[0-9]+)\n?$"));
    static LONG: Pattern = Pattern::new(|| Regex::new(r"^(-?[0-9]+)[lL]\n?$"));
    static FLOAT: Pattern =
        Pattern::new(|| Regex::new(r"^(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)[fF]\n?$"));
    static DOUBLE: Pattern = Pattern::new(|| Regex::new(r"^(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\n?$"));
    let number = |pattern: &Pattern| group(pattern, text);
    match declared {
        Declared::Byte | Declared::Short | Declared::Integer => integer(number(&WHOLE)?).map(Value::Int),
        Declared::Long => integer(number(&LONG)?).map(Value::Int),
        Declared::Float => float(number(&FLOAT)?).map(Value::Float),
        Declared::Double => float(number(&DOUBLE)?).map(Value::Float),
        Declared::Boolean => flag(text),
        _ => None,
    }
}

/// `new T[] {…}`: the items between commas.
fn array(text: &str, items: Option<Declared>) -> Option<Value<'static>> {
    static ARRAY: Pattern = Pattern::new(|| Regex::new(r"new\s+\w+\[\]\s*\{(.*?)\}"));
    let inside = group(&ARRAY, text)?.split(',').map(str::trim).filter(|item| !item.is_empty());
    Some(Value::List(inside.map(|item| self::item(item, items)).collect()))
}

/// `new ArrayList<T>(Arrays.asList(…))`, `new ArrayList<T>() {{ add(…); }}` or the empty one.
fn array_list(text: &str, items: Option<Declared>) -> Option<Value<'static>> {
    static AS_LIST: Pattern = Pattern::new(|| Regex::new(r"new\s+ArrayList<\w*>\(Arrays\.asList\((.+?)\)\)"));
    static ADDS: Pattern = Pattern::new(|| Regex::new(r"(?s)new\s+ArrayList<\w*>\(\)\s*\{\{\s*(.+?)\s*\}\}"));
    static ADD: Pattern = Pattern::new(|| Regex::new(r"add\((.+?)\)"));
    static EMPTY: Pattern = Pattern::new(|| Regex::new(r"new\s+ArrayList<\w*>\(\)"));
    let unquoted = |item: &str| match items {
        Some(Declared::Str | Declared::Char) => Value::str(without_ends(item).to_string()),
        _ => self::item(item, items),
    };
    if let Some(inside) = group(&AS_LIST, text) {
        return Some(Value::List(inside.split(',').map(str::trim).map(unquoted).collect()));
    }
    if let Some(inside) = group(&ADDS, text) {
        let adds = ADD.as_ref().ok()?.captures_iter(inside).filter_map(|add| add.get(1));
        return Some(Value::List(adds.map(|add| unquoted(add.as_str().trim())).collect()));
    }
    EMPTY.as_ref().ok()?.is_match(text).then(|| Value::List(Vec::new()))
}

/// `new HashMap<K, V>() {{ put("key", value); }}` or the empty one.
fn hash_map(text: &str) -> Option<Value<'static>> {
    static MAP: Pattern =
        Pattern::new(|| Regex::new(r"(?s)new\s+HashMap<.*?>\s*\(\)\s*\{\s*\{?\s*(.*?)\s*\}?\s*\}"));
    static PUT: Pattern = Pattern::new(|| Regex::new(r#"put\("(.*?)",\s*(.*?)\)"#));
    static EMPTY: Pattern = Pattern::new(|| Regex::new(r"(?s)new\s+HashMap<.*?>\s*\(\)"));
    let mut entries = Object::default();
    match group(&MAP, text) {
        Some(inside) => {
            for put in PUT.as_ref().ok()?.captures_iter(inside) {
                let part = |index| put.get(index).map_or("", |part| part.as_str());
                entries.insert(PyStr::from(part(1).to_string()), guess(part(2).trim()));
            }
        }
        None if EMPTY.as_ref().ok()?.is_match(text) => {}
        None => return None,
    }
    Some(Value::Object(entries))
}

/// An item of a list, by the type of its items.
fn item(text: &str, declared: Option<Declared>) -> Value<'static> {
    let converted = match declared {
        None => Some(guess(text)),
        Some(declared) => convert(text, &Parameter { declared, items: None }),
    };
    converted.unwrap_or_else(|| Value::str(text.to_string()))
}

/// A value of an undeclared type: a flag, quoted text, a long, a float, any number, else text.
fn guess(text: &str) -> Value<'static> {
    if text.starts_with('"') && text.ends_with('"') {
        return Value::str(without_ends(text).to_string());
    }
    let typed = [Declared::Boolean, Declared::Long, Declared::Float].into_iter();
    let number = || integer(text).map(Value::Int).or_else(|| float(text).map(Value::Float));
    let found = typed.filter_map(|declared| scalar(text, declared)).next().or_else(number);
    found.unwrap_or_else(|| Value::str(text.to_string()))
}

/// A pattern, compiled once. Those above are known to compile: a test runs each.
pub(super) type Pattern = LazyLock<Result<Regex, regex::Error>>;

/// The first group of a pattern's first match.
pub(super) fn group<'t>(pattern: &Pattern, text: &'t str) -> Option<&'t str> {
    let captures = pattern.as_ref().ok()?.captures(text)?;
    captures.get(1).map(|group| group.as_str())
}

/// `true` or `false`.
pub(super) fn flag(text: &str) -> Option<Value<'static>> {
    text.parse().ok().map(Value::Bool)
}

/// The text without its first and last character.
pub(super) fn without_ends(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.next_back();
    characters.as_str()
}
