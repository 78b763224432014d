//! The `tojson` filter of chat templates: `json.dumps` of Python, to the byte.

use std::fmt::Write;

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use toolrl_grammar::json::{self, Unicode, float_repr};

use crate::fuel;

/// The deepest nesting of a value: what Python's default recursion limit leaves to its encoder.
const MAX_DEPTH: usize = 990;

/// `json.dumps(value, ensure_ascii=False, …)`, with the keyword arguments that transformers' filter
/// takes: `ensure_ascii`, `indent`, `separators`, `sort_keys`. What it writes is charged to the template's fuel
/// as it is written, since a small value can be long as JSON.
pub(crate) fn tojson(state: &State, value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let separators: Option<Vec<String>> = options.get("separators")?;
    let (item, key) = match separators.as_deref() {
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(refused("separators must be a pair of strings".to_owned())),
    };
    let mut writer = Writer {
        state,
        out: String::new(),
        depth: 0,
        indent,
        item,
        key,
        ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        sort: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    options.assert_all_used()?;
    writer.value(value)?;
    Ok(writer.out)
}

fn refused(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// `json.dumps` in the middle of its work.
struct Writer<'s> {
    state: &'s State<'s, 's>,
    out: String,
    depth: usize,
    indent: Option<usize>,
    item: String,
    key: String,
    ascii: bool,
    sort: bool,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        self.charge(self.item.len() + self.key.len())?;
        if self.depth > MAX_DEPTH {
            return Err(refused(format!("a value is nested more than {MAX_DEPTH} levels deep")));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&number(value)?),
            ValueKind::String => self.string(value.as_str().unwrap_or_default())?,
            ValueKind::Seq | ValueKind::Iterable => {
                let items = self.items(value)?;
                self.container(['[', ']'], &items, |writer, item| writer.value(item))?;
            }
            ValueKind::Map => {
                let mut keys = self.items(value)?;
                if self.sort {
                    keys.sort();
                }
                self.container(['{', '}'], &keys, |writer, key| {
                    writer.string(&key_text(key)?)?;
                    let separator = writer.key.clone();
                    writer.out.push_str(&separator);
                    writer.value(&value.get_item(key)?)
                })?;
            }
            kind => {
                return Err(refused(format!("a value of kind {kind} is not JSON serializable")));
            }
        }
        Ok(())
    }

    /// Brackets around items, each on its own line where there is an indent.
    fn container(
        &mut self,
        [open, close]: [char; 2],
        items: &[Value],
        mut write: impl FnMut(&mut Self, &Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        self.depth += 1;
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.out.push_str(&self.item);
            }
            self.new_line()?;
            write(self, item)?;
        }
        self.depth -= 1;
        if !items.is_empty() {
            self.new_line()?;
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self) -> Result<(), Error> {
        if let Some(indent) = self.indent {
            let spaces = indent.saturating_mul(self.depth);
            self.charge(spaces)?;
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', spaces));
        }
        Ok(())
    }

    /// The items of a list or the keys of a dictionary, of which there may be more than memory holds.
    fn items(&self, value: &Value) -> Result<Vec<Value>, Error> {
        value.try_iter()?.map(|item| self.charge(0).map(|()| item)).collect()
    }

    /// Pays for so many bytes.
    fn charge(&self, bytes: usize) -> Result<(), Error> {
        fuel::charge(self.state, bytes)
    }

    fn string(&mut self, text: &str) -> Result<(), Error> {
        self.charge(text.len())?;
        let text = json::Value::str(text);
        // Writing to a String cannot fail.
        let _ = if self.ascii { write!(self.out, "{text}") } else { write!(self.out, "{}", Unicode(&text)) };
        Ok(())
    }
}

/// A dictionary's key as text, by Python's conversions.
fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
        ValueKind::Number => number(key),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::None => Ok("null".to_owned()),
        kind => Err(refused(format!("keys must be strings, numbers, booleans or none, not {kind}"))),
    }
}

fn number(value: &Value) -> Result<String, Error> {
    if value.is_integer() { Ok(value.to_string()) } else { f64::try_from(value.clone()).map(float_repr) }
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;
    use minijinja::value::Serde;

    use super::*;

    /// What `{{ value | tojson(…) }}` gives for a JSON text.
    fn dumps(json: &str, arguments: &str) -> Result<String, Error> {
        let mut environment = Environment::new();
        environment.add_filter("tojson", tojson);
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        let source = format!("{{{{ value | tojson({arguments}) }}}}");
        environment.render_str(&source, minijinja::context! { value => Value::from(Serde(value)) })
    }

    #[test]
    fn equals_json_dumps() {
        let nested = r#"{"b": [1, {}], "a": {"é": []}}"#;
        let cases = [
            // value, arguments, what CPython 3.11 prints
            (nested, "", r#"{"b": [1, {}], "a": {"é": []}}"#),
            (nested, "separators=[',', ':']", r#"{"b":[1,{}],"a":{"é":[]}}"#),
            (nested, "sort_keys=true, ensure_ascii=true", r#"{"a": {"\u00e9": []}, "b": [1, {}]}"#),
            (nested, "indent=2", "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": {\n    \"é\": []\n  }\n}"),
            ("[]", "indent=4", "[]"),
            ("[true, false, null]", "", "[true, false, null]"),
            (r#""<b>&'\"\\/""#, "", r#""<b>&'\"\\/""#),
            (r#""\b\f\n\r\t\u0001\u007f""#, "", "\"\\b\\f\\n\\r\\t\\u0001\u{7f}\""),
            (r#""\u007f😀""#, "ensure_ascii=true", r#""\u007f\ud83d\ude00""#),
            ("[0.0, -0.0, 1.0, 0.1, -2.5e-5]", "", "[0.0, -0.0, 1.0, 0.1, -2.5e-05]"),
            ("[0.0001, 1e15, 1e16, 1.5e22, 1e-7]", "", "[0.0001, 1000000000000000.0, 1e+16, 1.5e+22, 1e-07]"),
            // Two texts of as few digits are equally near: the even one.
            ("[900719925474099.25, 9188000860902.8125]", "", "[900719925474099.2, 9188000860902.812]"),
            ("[18446744073709551615, -9007199254740993]", "", "[18446744073709551615, -9007199254740993]"),
        ];
        for (json, arguments, expected) in cases {
            assert_eq!(dumps(json, arguments).unwrap(), expected, "{json} {arguments}");
        }
    }

    #[test]
    fn refuses_what_python_refuses() {
        for (json, arguments) in [("1", "indnt=2"), ("1", "separators=[',']")] {
            assert!(dumps(json, arguments).is_err(), "{arguments}");
        }
        let mut environment = Environment::new();
        environment.add_filter("tojson", tojson);
        assert!(environment.render_str("{{ absent | tojson }}", ()).is_err());
    }
}
