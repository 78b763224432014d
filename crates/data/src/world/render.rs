//! From the parts of a task to its prompt.

use minijinja::context;
use serde_json::{Map, Value, json};

use super::config::Template;
use super::listing::Listed;
use super::python_json;
use super::tool::Param;
use crate::template::PromptTemplate;
use crate::{DataError, Message};

const COMPACT: &str = include_str!("prompt.jinja");

/// A compiled prompt template.
pub(crate) struct Renderer {
    template: PromptTemplate,
}

/// An earlier turn, as text.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// What was asked.
    pub(crate) request: String,
    /// The calls that were made, one a line.
    pub(crate) calls: String,
    /// What they returned.
    pub(crate) observation: String,
}

impl Renderer {
    /// Compiles the template.
    pub(crate) fn new(template: &Template) -> Result<Self, DataError> {
        let text = match template {
            Template::Compact => COMPACT.to_owned(),
            Template::Text(text) => text.clone(),
            Template::File(path) => std::fs::read_to_string(path)
                .map_err(|source| DataError::Io { path: path.clone(), source })?,
        };
        Ok(Self { template: PromptTemplate::new(text)? })
    }

    /// The two messages of a task.
    pub(crate) fn messages(
        &self,
        tools: &[Listed],
        history: &[Earlier],
        request: &str,
    ) -> Result<Vec<Message>, DataError> {
        let tools: Vec<_> = tools.iter().map(tool_value).collect();
        let history: Vec<_> = history.iter().map(turn_value).collect();
        self.template.messages(context! { tools, history, request })
    }
}

fn turn_value(turn: &Earlier) -> minijinja::Value {
    let Earlier { request, calls, observation } = turn;
    context! { request, calls, observation }
}

fn tool_value(listed: &Listed) -> minijinja::Value {
    let description = listed.tool.description();
    let object = |value: fn(&Param) -> Value| {
        let values = listed.tool.params.iter().map(value);
        let object = listed.params.iter().cloned().zip(values).collect::<Map<_, _>>();
        python_json::text(&Value::Object(object))
    };
    let (parameters, signature) = (object(schema), object(short_schema));
    context! { name => listed.name.as_str(), description, parameters, signature }
}

/// A parameter's entry in `parameters`.
fn schema(param: &Param) -> Value {
    json!({"type": param.slot.json_type(), "description": about(param)})
}

/// A parameter's entry in `signature`.
fn short_schema(param: &Param) -> Value {
    format!("{}, {}", param.slot.json_type(), about(param)).into()
}

fn about(param: &Param) -> String {
    if param.optional { format!("{}, optional", param.about) } else { param.about.to_owned() }
}
