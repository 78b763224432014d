//! The types that tools give their parameters, for dialects whose texts have none.

mod read;

use std::collections::HashMap;

use crate::json::{Object, Value};
use crate::text;

/// The types that tools declare for their parameters: what [`super::Dialect::typed`] goes by.
///
/// A parameter has the types that its JSON Schema names: by `type`, by the values of `enum`, and by the choices of
/// `anyOf`, `oneOf` and `allOf`. Without any it is a string.
#[derive(Clone, Debug, Default)]
pub struct ParameterTypes(HashMap<Vec<u8>, HashMap<Vec<u8>, TypeSet>>);

/// Some of the types of JSON Schema, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TypeSet(u8);

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
                entries.map(|(key, schema)| (key.as_bytes().to_vec(), TypeSet::of(schema, 0))).collect(),
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

impl TypeSet {
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
}
