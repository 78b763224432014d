//! From a step to a sample.

use minijinja::context;

use super::BuildConfig;
use super::step::{Step, Tool, Turn, object};
use crate::template::PromptTemplate;
use crate::{DataError, Sample};

const PROMPT: &str = include_str!("prompt.jinja");

/// Writes prompts.
pub(super) struct Renderer {
    template: PromptTemplate,
}

impl Renderer {
    pub(super) fn new(config: &BuildConfig) -> Result<Self, DataError> {
        let text = match &config.prompt {
            None => PROMPT.to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| DataError::Io { path: path.clone(), source })?,
        };
        Ok(Self { template: PromptTemplate::new(text)? })
    }

    pub(super) fn sample(&self, step: &Step) -> Result<Sample, DataError> {
        let tools: Vec<_> = step.tools.iter().map(tool_value).collect();
        let dialogue: Vec<_> = step.history().iter().map(turn_value).collect();
        Ok(Sample {
            id: step.id.clone(),
            messages: self.template.messages(context! { tools, dialogue })?,
            tools: Vec::new(),
            gold: step.gold().text().into(),
            kind: step.kind(),
            unseen_tools: false,
        })
    }
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
