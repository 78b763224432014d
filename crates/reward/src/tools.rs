//! The tools that a task lists, and whether a call fits them.

use std::fmt;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use toolrl_grammar::dialect::schema_type;
use toolrl_grammar::json::{Entries, Object};

/// The tools that a task lists.
#[derive(Debug, Default)]
pub struct Tools(Vec<Tool>);

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
    /// under `function` alone. What is no tool is passed over.
    pub fn of(tools: &[Value]) -> Self {
        let tool = |tool: &Value| {
            let tool = tool.get("function").unwrap_or(tool);
            let parameters = tool.get("parameters").filter(|parameters| !parameters.is_null()).cloned();
            Some(Tool {
                name: tool.get("name")?.as_str()?.to_owned(),
                parameters: parameters.unwrap_or_else(|| json!({})),
                given: OnceLock::new(),
                closed: OnceLock::new(),
            })
        };
        Self(tools.iter().filter_map(tool).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tool of this name.
    pub fn get(&self, name: &[u8]) -> Option<&Tool> {
        self.0.iter().find(|tool| tool.name.as_bytes() == name)
    }
}

impl Tool {
    /// Whether a parameter is declared: under the schema's `properties`, or without any `properties` as one of its
    /// own objects, as lists of xLAM have them.
    pub(crate) fn declares(&self, parameter: &[u8]) -> bool {
        let declared = self.parameters.get("properties").unwrap_or(&self.parameters);
        std::str::from_utf8(parameter)
            .is_ok_and(|name| declared.get(name).is_some_and(|schema| schema.is_object()))
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
