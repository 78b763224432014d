//! From a step to a sample.

use std::path::Path;

use minijinja::context;
use toolrl_grammar::json;

use super::step::{Step, Tool, Turn, object};
use super::tools;
use crate::template::PromptTemplate;
use crate::{DataError, Message, Sample};

const PROMPT: &str = include_str!("prompt.jinja");

/// Writes prompts.
pub(crate) struct Renderer {
    template: PromptTemplate,
}

impl Renderer {
    /// With the template of a file, or this crate's.
    pub(crate) fn new(template: Option<&Path>) -> Result<Self, DataError> {
        let text = match template {
            None => PROMPT.to_owned(),
            Some(path) => {
                std::fs::read_to_string(path).map_err(|source| DataError::Io { path: path.into(), source })?
            }
        };
        Ok(Self { template: PromptTemplate::new(text)? })
    }

    /// The system and the user message.
    pub(crate) fn messages(
        &self,
        tools: Vec<minijinja::Value>,
        dialogue: Vec<minijinja::Value>,
    ) -> Result<Vec<Message>, DataError> {
        self.template.messages(context! { tools, dialogue })
    }

    pub(super) fn sample(&self, step: &Step) -> Result<Sample, DataError> {
        let tools = step.tools.iter().map(tool_value).collect();
        let dialogue = step.history().iter().map(turn_value).collect();
        Ok(Sample {
            id: step.id.clone(),
            messages: self.messages(tools, dialogue)?,
            tools: Vec::new(),
            gold: step.gold().text().into(),
            kind: step.kind(),
            unseen_tools: false,
        })
    }
}

/// Tools given as JSON schemas, as a template sees them.
///
/// # Errors
/// What is wrong with the list, in words.
pub(crate) fn listed_tools(schemas: &[serde_json::Value]) -> Result<Vec<minijinja::Value>, String> {
    if schemas.is_empty() {
        return Ok(Vec::new());
    }
    let text = serde_json::Value::from(schemas).to_string();
    let list = json::parse(&text).map_err(|error| error.to_string())?;
    let tools = tools::tools(&list).map_err(|refusal| format!("{}: {}", refusal.cause, refusal.detail))?;
    Ok(tools.iter().map(tool_value).collect())
}

fn tool_value(tool: &Tool) -> minijinja::Value {
    let Tool { name, description, required, .. } = tool;
    context! { name, description, required, parameters => object(&tool.params) }
}

fn turn_value(turn: &Turn) -> minijinja::Value {
    let role = match turn {
        Turn::User(_) => "user",
        Turn::Calls(_) | Turn::Response(_) => "assistant",
        Turn::Observation(_) => "tool",
    };
    let (thought, calls, response) = turn.parts();
    context! { role, content => turn.text(), thought, calls, response }
}
