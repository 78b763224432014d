//! A model's own way of calling tools: JSON schema for its chat template, and the calls of its
//! replies.

use toolrl_grammar::json::{self, Object, PyStr, Value};
use toolrl_grammar::{tags, text};

use super::docs;
use crate::{FunctionDoc, Language};

/// How a model writes calls. It is chosen, never guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NativeFormat {
    /// `<tool_call>` blocks, each with an object of `name` and `arguments`, or a list of such: Qwen,
    /// Hermes, SmolLM2.
    Hermes,
    /// The reply is such an object or list, or objects with `;` between them, perhaps after
    /// `<|python_tag|>`: Llama 3, xLAM.
    Json,
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

/// The calls of a reply, names and arguments. What is no call is passed over.
pub(super) fn calls(reply: &[u8], format: NativeFormat) -> Vec<(PyStr<'_>, Value<'_>)> {
    let values = match format {
        NativeFormat::Hermes => blocks(reply),
        NativeFormat::Json => bare(reply),
    };
    values.into_iter().filter_map(call).collect()
}

/// The JSON values in `<tool_call>` blocks; the last may lack its end.
fn blocks(reply: &[u8]) -> Vec<Value<'_>> {
    let blocks = tags::TOOL_CALL.each(reply).map(|block| json::parse(text::strip(block)));
    blocks.flatten().flat_map(flat).collect()
}

/// The JSON values that a reply is, its thoughts left out.
fn bare(reply: &[u8]) -> Vec<Value<'_>> {
    const TAG: &[u8] = b"<|python_tag|>";
    let answer = text::strip(tags::after_last(reply, tags::THINK.close).unwrap_or(reply));
    let answer = text::strip(answer.strip_prefix(TAG).unwrap_or(answer));
    if let Ok(value) = json::parse(answer) {
        return flat(value);
    }
    let parts: Result<Vec<_>, _> = answer.split(|&byte| byte == b';').map(json::parse).collect();
    parts.unwrap_or_default()
}

fn flat(value: Value<'_>) -> Vec<Value<'_>> {
    match value {
        Value::List(items) => items,
        other => vec![other],
    }
}

/// The name and the arguments of a call, which some models call `parameters`.
fn call(value: Value<'_>) -> Option<(PyStr<'_>, Value<'_>)> {
    let Value::Object(mut entries) = value else {
        return None;
    };
    let Some(Value::Str(name)) = entries.swap_remove(&b"name"[..]) else {
        return None;
    };
    let keys = [&b"arguments"[..], b"parameters"];
    let arguments = keys.into_iter().find_map(|key| entries.swap_remove(key));
    Some((name, arguments.unwrap_or_else(|| Value::Object(Object::default()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found() {
        use NativeFormat::{Hermes, Json};
        let block =
            "<think> <x> </think><tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";
        let cases = [
            (Hermes, block.to_string(), "f {\"a\": 1}"),
            (Hermes, format!("{block}{block}"), "f {\"a\": 1}; f {\"a\": 1}"),
            (
                Hermes,
                "<tool_call>[{\"name\": \"f\"}, {\"name\": \"g\", \"parameters\": {}}, 3]".into(),
                "f {}; g {}",
            ),
            (Hermes, "<tool_call>oops</tool_call>{\"name\": \"f\"}".into(), ""),
            (Json, "<|python_tag|> {\"name\": \"f\", \"parameters\": {\"a\": 1}}".into(), "f {\"a\": 1}"),
            (Json, "<think> x </think>\n[{\"name\": \"f\", \"arguments\": {}}]".into(), "f {}"),
            (Json, "{\"name\": \"f\"}; {\"name\": \"g\"}".into(), "f {}; g {}"),
            (Json, "I cannot; {\"name\": \"g\"}".into(), ""),
        ];
        for (format, reply, expected) in cases {
            let found = calls(reply.as_bytes(), format);
            let found = found.iter().map(|(name, arguments)| format!("{} {arguments}", name.lossy()));
            assert_eq!(found.collect::<Vec<_>>().join("; "), expected, "{reply}");
        }
    }

    #[test]
    fn tools_have_json_schema() {
        let parameters = json::parse(
            r#"{"type": "dict", "properties": {"a": {"type": "tuple", "items": {"type": "float"}},
                "b": {"type": "dict", "properties": {"type": {"type": "any"}}}}, "required": ["a"]}"#,
        );
        let parameters = parameters.unwrap().into_owned();
        let doc = FunctionDoc { name: "f".into(), description: "Does.".into(), parameters };
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
}
