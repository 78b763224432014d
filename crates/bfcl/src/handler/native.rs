//! A model's own way of calling tools: JSON schema for its chat template, and the calls of its
//! replies.

use toolrl_grammar::json::{self, Object, PyStr, Value};
use toolrl_grammar::{tags, text};

use super::{DecodeError, docs};
use crate::{FunctionDoc, Language, python};

/// How a model writes calls. It is chosen, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NativeFormat {
    /// `<tool_call>` blocks, each with an object of `name` and `arguments`, as bfcl-eval's handler of Qwen's reads them.
    /// A block with a list of such objects, as SmolLM2 writes it, has the list's calls: no official handler reads those.
    Hermes,
    /// The reply is the calls. With `parameters` they are read as bfcl-eval's handler of Llama 3.1 does: Python literals,
    /// or JSON with `;` between the calls. With `arguments` they are read as its handler of xLAM does: JSON.
    Json,
}

/// Functions as bfcl-eval's handlers of models that it runs itself print them: the benchmark's documentation as it is,
/// with a note on the language.
pub fn documents(functions: &[FunctionDoc], language: Language) -> Vec<Value<'static>> {
    let document = |doc: &FunctionDoc| {
        let mut parameters = doc.parameters.as_object().cloned().unwrap_or_default();
        parameters.insert("properties".into(), docs::properties(doc, language).into_owned());
        FunctionDoc {
            description: docs::description(doc, language),
            parameters: Value::Object(parameters),
            ..doc.clone()
        }
        .to_value()
    };
    functions.iter().map(document).collect()
}

/// Functions as chat templates take tools: `{"type": "function", "function": {…}}` with the
/// parameters in JSON schema.
pub fn tools(functions: &[FunctionDoc], language: Language) -> Vec<Value<'static>> {
    let tool = |doc: &FunctionDoc| {
        let mut parameters = doc.parameters.as_object().cloned().unwrap_or_default();
        let properties = docs::properties(doc, language).into_owned();
        parameters.insert("properties".into(), properties);
        let function = [
            ("name".into(), Value::str(doc.name.clone())),
            ("description".into(), Value::str(docs::description(doc, language))),
            ("parameters".into(), schema(Value::Object(parameters))),
        ];
        let function = Value::Object(function.into_iter().collect());
        let entries = [("type".into(), Value::str("function")), ("function".into(), function)];
        Value::Object(entries.into_iter().collect())
    };
    functions.iter().map(tool).collect()
}

/// A property with the types of JSON schema in place of the benchmark's, inside it too.
fn schema(property: Value<'static>) -> Value<'static> {
    let Value::Object(mut entries) = property else {
        return property;
    };
    for (key, value) in &mut entries {
        let taken = std::mem::replace(value, Value::Null);
        *value = match (key.as_bytes(), taken) {
            (b"type", Value::Str(name)) => Value::str(schema_type(name.as_bytes())),
            (b"properties", Value::Object(inner)) => {
                Value::Object(inner.into_iter().map(|(name, inner)| (name, schema(inner))).collect())
            }
            (b"items", inner) => schema(inner),
            (_, other) => other,
        };
    }
    Value::Object(entries)
}

fn schema_type(name: &[u8]) -> &'static str {
    match name {
        b"integer" | b"byte" | b"short" | b"long" | b"Bigint" => "integer",
        b"float" | b"double" | b"number" => "number",
        b"boolean" | b"bool" | b"Boolean" => "boolean",
        b"array" | b"list" | b"tuple" | b"Array" | b"ArrayList" | b"Queue" | b"Stack" | b"Set" => "array",
        b"dict" | b"object" | b"HashMap" | b"Hashtable" => "object",
        _ => "string",
    }
}

/// The calls of a reply, names and arguments. `None` where the official handler raises, and so reads no call.
///
/// Thoughts are left out first. (The official handlers of models that do not think do not look for any.)
pub(super) fn calls(reply: &[u8], format: NativeFormat) -> Option<Vec<(PyStr<'_>, Value<'_>)>> {
    let answer = tags::after_last(reply, tags::THINK.close).unwrap_or(reply);
    let values = match format {
        NativeFormat::Hermes => blocks(answer),
        NativeFormat::Json => bare(answer)?,
    };
    let keys: &[&[u8]] = match format {
        NativeFormat::Hermes => &[b"arguments"],
        NativeFormat::Json => &[b"parameters", b"arguments"],
    };
    values.into_iter().map(|value| call(value, keys)).collect()
}

/// The JSON objects in `<tool_call>` blocks. One block that is no JSON object spoils them all, as it does officially.
fn blocks(reply: &[u8]) -> Vec<Value<'_>> {
    const OPEN: &str = tags::TOOL_CALL.open;
    let mut lists_end = Ends::of(reply, tags::TOOL_CALL.close);
    let mut objects_end = Ends::of(reply, "\n</tool_call>");
    let (mut values, mut done) = (Vec::new(), 0);
    for open in tags::find_all(reply, OPEN) {
        let from = open + OPEN.len();
        if open < done {
            continue;
        }
        let end = lists_end.after(from).unwrap_or(reply.len());
        let list = Some(text::strip(&reply[from..end])).filter(|block| block.starts_with(b"["));
        let calls = list.map(json::parse).and_then(|list| match list {
            Ok(Value::List(items)) if items.iter().all(|item| matches!(item, Value::Object(_))) => {
                Some(items)
            }
            _ => None,
        });
        if let Some(calls) = calls {
            values.extend(calls);
            done = end;
            continue;
        }
        // The official pattern: `<tool_call>\n(.*?)\n</tool_call>`.
        let Some(end) = reply[from..].starts_with(b"\n").then(|| objects_end.after(from + 1)).flatten()
        else {
            continue;
        };
        match json::parse(text::strip(&reply[from + 1..end])) {
            Ok(object @ Value::Object(_)) => values.push(object),
            _ => return Vec::new(),
        }
        done = end;
    }
    values
}

/// Where a closing tag stands, asked for from left to right.
struct Ends(std::iter::Peekable<std::vec::IntoIter<usize>>);

impl Ends {
    fn of(text: &[u8], tag: &'static str) -> Self {
        Self(tags::find_all(text, tag).collect::<Vec<_>>().into_iter().peekable())
    }

    /// The first one at or after `from`, which only grows.
    fn after(&mut self, from: usize) -> Option<usize> {
        while self.0.next_if(|&end| end < from).is_some() {}
        self.0.peek().copied()
    }
}

/// The calls that a reply is.
fn bare(answer: &[u8]) -> Option<Vec<Value<'_>>> {
    const TAG: &str = "<|python_tag|>";
    // xLAM's handler.
    if let Ok(value) = json::parse(text::strip(answer)) {
        let values = flat(value);
        if values.iter().all(|value| has_key(value, b"arguments")) {
            return Some(values);
        }
    }
    // Llama's, which takes every such tag out.
    let parts: Vec<&[u8]> = answer.split(|&byte| byte == b';').collect();
    if parts.len() > 1 {
        let parsed =
            parts.into_iter().map(|part| json::parse(text::strip(tags::after(part, TAG).unwrap_or(part))));
        return parsed.collect::<Result<_, _>>().ok();
    }
    python::parse_literals(&std::str::from_utf8(answer).ok()?.replace(TAG, "")).map(|values| match values {
        Value::List(items) => items,
        other => vec![other],
    })
}

fn has_key(value: &Value<'_>, key: &[u8]) -> bool {
    matches!(value, Value::Object(entries) if entries.contains_key(key))
}

fn flat(value: Value<'_>) -> Vec<Value<'_>> {
    match value {
        Value::List(items) => items,
        other => vec![other],
    }
}

/// The name and the arguments of a call.
fn call<'a>(value: Value<'a>, keys: &[&[u8]]) -> Option<(PyStr<'a>, Value<'a>)> {
    let Value::Object(mut entries) = value else {
        return None;
    };
    let Some(Value::Str(name)) = entries.swap_remove(&b"name"[..]) else {
        return None;
    };
    Some((name, keys.iter().find_map(|&key| entries.swap_remove(key))?))
}

/// The arguments of a call to execute. Qwen's may be JSON in a string.
pub(super) fn entries(arguments: Value<'_>, format: NativeFormat) -> Result<Object<'_>, DecodeError> {
    match (arguments, format) {
        (Value::Object(entries), _) => Ok(entries),
        (Value::Str(text), NativeFormat::Hermes) => match json::parse(text.as_bytes()).map(Value::into_owned)
        {
            Ok(Value::Object(entries)) => Ok(entries),
            _ => Err(DecodeError::Unreadable),
        },
        _ => Err(DecodeError::Attribute),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_have_json_schema() {
        let parameters = json::parse(
            r#"{"type": "dict", "properties": {"a": {"type": "tuple", "items": {"type": "float"}},
                "b": {"type": "dict", "properties": {"type": {"type": "any"}}}}, "required": ["a"]}"#,
        );
        let parameters = parameters.unwrap().into_owned();
        let doc = FunctionDoc { name: "f".into(), description: "Does.".into(), parameters, response: None };
        let tools = tools(std::slice::from_ref(&doc), Language::Python);
        let expected = concat!(
            r#"{"type": "function", "function": {"name": "f", "#,
            r#""description": "Does. Note that the provided function is in Python 3 syntax.", "#,
            r#""parameters": {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}, "#,
            r#""b": {"type": "object", "properties": {"type": {"type": "string"}}}}, "required": ["a"]}}}"#
        );
        assert_eq!(tools[0].to_string(), expected);
        let java = super::tools(&[doc], Language::Java)[0].to_string();
        assert!(java.contains(r#""a": {"type": "string", "items""#), "{java}");
    }

    #[test]
    fn documents_are_the_benchmarks_own() {
        let text = r#"{"name": "f", "description": "Does.", "parameters": {"type": "dict", "properties": {"a": {"type": "tuple"}}, "required": []}, "response": {"type": "dict"}}"#;
        let value = json::parse(text).unwrap().into_owned();
        let part = |key| value.get(key).cloned().unwrap();
        let (name, description, response) = ("f".into(), "Does.".into(), Some(part("response")));
        let doc = FunctionDoc { name, description, parameters: part("parameters"), response };
        assert_eq!(doc.to_value().to_string(), text);
        let shown = documents(&[doc], Language::Python)[0].to_string();
        assert_eq!(
            shown,
            text.replace("Does.", "Does. Note that the provided function is in Python 3 syntax.")
        );
    }
}
