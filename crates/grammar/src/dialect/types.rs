//! The types that tools give their parameters, for dialects whose texts have none.

use std::collections::HashMap;

use crate::json::{self, Object, PyInt, Value};
use crate::text;

/// The types that tools declare for their parameters: what [`super::Dialect::typed`] goes by.
///
/// A parameter has the types that its JSON Schema names: by `type`, by the values of `enum`, and by the choices of
/// `anyOf`, `oneOf` and `allOf`. Without any it is a string.
#[derive(Clone, Debug, Default)]
pub struct ParameterTypes(HashMap<Vec<u8>, HashMap<Vec<u8>, Types>>);

/// Some of the types of JSON Schema, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Types(u8);

/// In the order in which a text is tried as them.
const ORDER: [(&str, u8); 7] = [
    ("null", 1),
    ("integer", 2),
    ("number", 4),
    ("boolean", 8),
    ("object", 16),
    ("array", 32),
    ("string", 64),
];

/// Schemas deeper than this say nothing further.
const DEPTH: usize = 32;

impl ParameterTypes {
    /// The types by a list of tools, OpenAI's `{"type": "function", "function": {"name", "parameters"}}` or what
    /// stands under `function` alone. What is no tool is passed over.
    ///
    /// ```
    /// use toolrl_grammar::dialect::{self, ParameterTypes};
    /// use toolrl_grammar::json;
    ///
    /// let tools = r#"[{"name": "f", "parameters": {"properties": {"n": {"type": "integer"}}}}]"#;
    /// let types = ParameterTypes::of(&json::parse(tools).unwrap());
    /// let glm = dialect::named("glm45").unwrap();
    /// let text = "<tool_call>f\n<arg_key>n</arg_key>\n<arg_value>7</arg_value>\n</tool_call>";
    /// let turn = glm.parse(text.as_bytes()).turn;
    /// assert_eq!(turn.calls[0].argument("n").unwrap().to_string(), "\"7\"");
    /// assert_eq!(glm.typed(turn, &types).calls[0].argument("n").unwrap().to_string(), "7");
    /// ```
    pub fn of(tools: &Value<'_>) -> Self {
        let Value::List(tools) = tools else { return Self::default() };
        let tool = |tool: &Value<'_>| {
            let tool = tool.get("function").unwrap_or(tool);
            let name = tool.get("name")?.as_bytes()?.to_vec();
            let parameters = tool.get("parameters").and_then(|schema| schema.get("properties"));
            let entries = parameters.and_then(Value::as_object).into_iter().flatten();
            Some((
                name,
                entries.map(|(key, schema)| (key.as_bytes().to_vec(), Types::of(schema, 0))).collect(),
            ))
        };
        Self(tools.iter().filter_map(tool).collect())
    }

    /// Gives the arguments that are strings the types of their parameters. A parameter that is not declared keeps
    /// its string.
    pub(super) fn apply(&self, tool: &[u8], arguments: &mut Object<'_>) {
        let Some(parameters) = self.0.get(tool) else { return };
        for (name, value) in arguments {
            if let (Some(types), Value::Str(text)) = (parameters.get(name.as_bytes()), &*value)
                && let Some(typed) = types.read(text.as_bytes())
            {
                *value = typed;
            }
        }
    }
}

/// JSON Schema's name of a type that is written as programming languages call it; any other name as it is.
///
/// ```
/// use toolrl_grammar::dialect::schema_type;
///
/// assert_eq!(["dict", "float", "array"].map(schema_type), ["object", "number", "array"]);
/// ```
pub fn schema_type(name: &str) -> &str {
    match name {
        "int" | "long" | "short" => "integer",
        "float" | "double" => "number",
        "bool" => "boolean",
        "dict" => "object",
        "list" | "tuple" => "array",
        "str" | "text" | "enum" => "string",
        other => other,
    }
}

impl Types {
    fn of(schema: &Value<'_>, depth: usize) -> Self {
        let mut types = Self::default();
        match schema.get("type") {
            Some(Value::List(names)) => names.iter().for_each(|name| types.add(name)),
            Some(name) => types.add(name),
            None => {}
        }
        if let Some(Value::List(values)) = schema.get("enum") {
            values.iter().for_each(|value| types.0 |= Self::bit(Self::name(value)));
        }
        for choices in ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema.get(key)) {
            if let (Value::List(choices), true) = (choices, depth < DEPTH) {
                choices.iter().for_each(|choice| types.0 |= Self::of(choice, depth + 1).0);
            }
        }
        if types == Self::default() { Self(Self::bit("string")) } else { types }
    }

    fn add(&mut self, name: &Value<'_>) {
        let name = name.as_bytes().map(|name| text::lossy(text::strip(name)).to_ascii_lowercase());
        self.0 |= name.map_or(0, |name| Self::bit(&name));
    }

    fn bit(name: &str) -> u8 {
        let name = schema_type(name);
        ORDER.iter().find(|(known, _)| *known == name).map_or(0, |(_, bit)| *bit)
    }

    /// JSON Schema's name of a value's type.
    fn name(value: &Value<'_>) -> &'static str {
        match value {
            Value::Float(_) => "number",
            Value::List(_) => "array",
            other => other.type_name(),
        }
    }

    /// The text as the first of the types that it can be; as any JSON where it can be none; `None` where it stays a
    /// string.
    fn read(self, text: &[u8]) -> Option<Value<'static>> {
        for (name, bit) in ORDER {
            if self.0 & bit == 0 {
                continue;
            }
            let value = match name {
                "null" => text.eq_ignore_ascii_case(b"null").then_some(Value::Null),
                "integer" => integer(text),
                "number" => integer(text).or_else(|| number(text)),
                "boolean" => boolean(text),
                "string" => return None,
                _ => finite(text),
            };
            if value.is_some() {
                return value;
            }
        }
        finite(text)
    }
}

/// `["+" | "-"] digits`, of which none is lost.
fn integer(text: &[u8]) -> Option<Value<'static>> {
    let text = std::str::from_utf8(text::strip(text)).ok()?;
    let digits = text.trim_start_matches(['+', '-']);
    let signs = text.len() - digits.len();
    if signs > 1 || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let sign = if text.starts_with('-') { "-" } else { "" };
    let written = if digits.is_empty() { "0".into() } else { format!("{sign}{digits}") };
    Some(json::parse(&written).ok()?.into_owned())
}

/// A finite number; an integer where it has no fraction.
fn number(text: &[u8]) -> Option<Value<'static>> {
    let text = std::str::from_utf8(text::strip(text)).ok()?;
    let x: f64 = text.parse().ok().filter(|x: &f64| x.is_finite())?;
    if x.fract() != 0.0 {
        return Some(Value::Float(x));
    }
    let digits = format!("{x:.0}");
    let digits = if digits == "-0" { "0".into() } else { digits };
    let small = digits.parse().map(PyInt::Small);
    Some(Value::Int(small.unwrap_or_else(|_| PyInt::Big(digits.into()))))
}

fn boolean(text: &[u8]) -> Option<Value<'static>> {
    match text::strip(text).to_ascii_lowercase().as_slice() {
        b"true" | b"1" => Some(Value::Bool(true)),
        b"false" | b"0" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// JSON without `NaN` and infinities, which no other reader takes.
fn finite(text: &[u8]) -> Option<Value<'static>> {
    let value = json::parse(text).ok()?;
    is_finite(&value).then(|| value.into_owned())
}

fn is_finite(value: &Value<'_>) -> bool {
    match value {
        Value::Float(x) => x.is_finite(),
        Value::List(items) => items.iter().all(is_finite),
        Value::Object(entries) => entries.values().all(is_finite),
        _ => true,
    }
}
