//! The tools that a task lists, and whether a call fits them.

use std::fmt;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use toolrl_grammar::dialect::schema_type;
use toolrl_grammar::json::{Entries, Object};

/// The tools that a task lists. They are kept as text, which is small, until a call is held to one.
#[derive(Debug)]
pub struct Tools {
    text: String,
    read: OnceLock<Vec<Tool>>,
}

/// A tool with the JSON Schema of its parameters.
#[derive(Debug)]
pub struct Tool {
    name: String,
    parameters: Value,
    /// The schema, made ready when a call is first held to it; or what is wrong with it.
    given: OnceLock<Result<Validator, String>>,
    /// The same without further parameters.
    closed: OnceLock<Result<Validator, String>>,
}

/// Why a call does not fit its tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The tool's schema is none, so that nothing can be held to it.
    Schema(String),
    /// The arguments are not as the schema has them.
    Arguments(String),
}

impl Tools {
    /// The tools of a list: OpenAI's `{"type": "function", "function": {"name", "parameters"}}`, or what stands
    /// under `function` alone. What is no tool is passed over; `None` where nothing is one.
    pub fn of(tools: &[Value]) -> Option<Self> {
        let any = tools.iter().any(|tool| Tool::named(tool).is_some());
        // Values are always text.
        any.then(|| Self { text: serde_json::to_string(tools).unwrap_or_default(), read: OnceLock::new() })
    }

    /// The whole list as it was given, as one line of JSON.
    pub fn json(&self) -> &str {
        &self.text
    }

    /// The tool of this name.
    pub fn get(&self, name: &[u8]) -> Option<&Tool> {
        let read = || {
            let tools: Vec<Value> = serde_json::from_str(&self.text).unwrap_or_default();
            tools.iter().filter_map(Tool::of).collect()
        };
        self.read.get_or_init(read).iter().find(|tool| tool.name.as_bytes() == name)
    }
}

impl Tool {
    /// A tool's name and what describes it.
    fn named(tool: &Value) -> Option<(&str, &Value)> {
        let tool = tool.get("function").unwrap_or(tool);
        Some((tool.get("name")?.as_str()?, tool))
    }

    fn of(tool: &Value) -> Option<Self> {
        let (name, tool) = Self::named(tool)?;
        let parameters = tool.get("parameters").filter(|parameters| !parameters.is_null()).cloned();
        Some(Self {
            name: name.to_owned(),
            parameters: parameters.unwrap_or_else(|| json!({})),
            given: OnceLock::new(),
            closed: OnceLock::new(),
        })
    }

    /// Whether a parameter is declared: under the schema's `properties`, or without any `properties` as one of its
    /// own objects, as lists of xLAM have them.
    pub(crate) fn declares(&self, parameter: &[u8]) -> bool {
        let Ok(name) = std::str::from_utf8(parameter) else { return false };
        match self.parameters.get("properties") {
            Some(properties) => properties.get(name).is_some(),
            None => self.parameters.get(name).is_some_and(Value::is_object),
        }
    }

    /// Whether arguments fit; `closed` refuses those that the schema does not name.
    pub(crate) fn check(&self, arguments: &Object<'_>, closed: bool) -> Result<(), Misfit> {
        let (cell, schema): (_, fn(&Value) -> Value) =
            if closed { (&self.closed, without_further) } else { (&self.given, Value::clone) };
        let ready = cell.get_or_init(|| compile(schema(&self.parameters)));
        let validator = ready.as_ref().map_err(|error| Misfit::Schema(error.clone()))?;
        let read: Value = serde_json::from_str(&Entries(arguments).to_string())
            .map_err(|_| Misfit::Arguments("they hold what JSON cannot say".to_owned()))?;
        validator.validate(&read).map_err(|error| {
            let place = error.instance_path().to_string();
            Misfit::Arguments(if place.is_empty() { error.to_string() } else { format!("{place}: {error}") })
        })
    }
}

/// A schema made ready. It reaches no file and no network. One that is none is read again with the types' names of
/// programming languages as JSON Schema's.
fn compile(mut schema: Value) -> Result<Validator, String> {
    let build = |schema: &Value| jsonschema::options().offline().build(schema);
    build(&schema).or_else(|error| {
        rename_types(&mut schema);
        build(&schema).map_err(|_| error.to_string())
    })
}

fn rename_types(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(rename_types),
        Value::Object(entries) => {
            if entries.get("type").and_then(Value::as_str) == Some("any") {
                entries.remove("type");
            }
            for (key, value) in entries {
                match value {
                    Value::String(name) if key == "type" => *name = schema_type(name).to_owned(),
                    value => rename_types(value),
                }
            }
        }
        _ => {}
    }
}

/// The schema of the same parameters and no others, whatever it says of others.
fn without_further(schema: &Value) -> Value {
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    schema.remove("additionalProperties");
    // Parts that are put together by `allOf` and the like are seen through where the draft can.
    let old = schema.get("$schema").and_then(Value::as_str).is_some_and(|draft| draft.contains("draft-0"));
    let key = if old { "additionalProperties" } else { "unevaluatedProperties" };
    schema.insert(key.to_owned(), Value::Bool(false));
    Value::Object(Map::from_iter(schema))
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(error) => write!(f, "the tool's schema cannot be used: {error}"),
            Self::Arguments(error) => f.write_str(error),
        }
    }
}
