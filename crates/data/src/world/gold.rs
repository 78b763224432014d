//! Gold replies in the released form, and what a hurried demonstrator makes of them.

use serde_json::{Map, Value, json};

use super::listing::Listed;
use super::python_json;

/// What the right reply does after its thought.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Calls tools.
    Calls(Vec<Value>),
    /// Answers in words.
    Response(String),
}

/// The right reply.
#[derive(Clone, Debug)]
pub(crate) struct Gold {
    pub(crate) thought: String,
    pub(crate) act: Act,
}

impl Gold {
    /// A reply with calls.
    pub(crate) fn calls(thought: String, calls: Vec<Value>) -> Self {
        Self { thought, act: Act::Calls(calls) }
    }

    /// A reply in words.
    pub(crate) fn response(thought: String, answer: String) -> Self {
        Self { thought, act: Act::Response(answer) }
    }

    /// The reply's text.
    pub(crate) fn text(&self) -> String {
        let thought = &self.thought;
        match &self.act {
            Act::Calls(calls) => {
                format!("<think> {thought} </think>\n<tool_call>\n{}\n</tool_call>", lines(calls))
            }
            Act::Response(answer) => format!("<think> {thought} </think>\n<response> {answer} </response>"),
        }
    }

    /// The reply with a slip: of several calls the last is left out, of one call the last parameter, and
    /// instead of words there is a call of the first listed tool. A call without parameters stays as it is.
    pub(crate) fn with_slip(mut self, tools: &[Listed]) -> Self {
        match &mut self.act {
            Act::Calls(calls) if calls.len() > 1 => {
                calls.pop();
            }
            Act::Calls(calls) => {
                if let Some(parameters) = calls.first_mut().and_then(parameters)
                    && let Some(last) = parameters.keys().next_back().cloned()
                {
                    parameters.remove(&last);
                }
            }
            Act::Response(_) => {
                if let Some(tool) = tools.first() {
                    self.thought = format!("I call {}.", tool.name);
                    self.act = Act::Calls(vec![json!({"name": tool.name, "parameters": {}})]);
                }
            }
        }
        self
    }
}

fn parameters(call: &mut Value) -> Option<&mut Map<String, Value>> {
    call.get_mut("parameters").and_then(Value::as_object_mut)
}

/// Calls as text, one a line.
pub(crate) fn lines(calls: &[Value]) -> String {
    calls.iter().map(python_json::text).collect::<Vec<_>>().join("\n")
}
