//! The parts of a sample before it is text: tools, turns, calls.

use std::sync::Arc;

use toolrl_grammar::json::{Unicode, Value};

use crate::TaskKind;
use crate::random::hash;

/// A tool as a prompt lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) description: String,
    /// The parameters: name, and schema as JSON text.
    pub(super) params: Vec<(String, String)>,
    /// The parameters that must be given, where the source says so.
    pub(super) required: Vec<String>,
}

/// A call: the tool's name, and each argument as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Vec<(String, String)>,
}

/// A turn of a dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The person speaks.
    User(String),
    /// The policy calls tools.
    Calls(Vec<Call>),
    /// The policy answers.
    Response(String),
    /// What calls returned.
    Observation(String),
}

/// One reply to learn, with all that comes before it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) id: String,
    /// Its row's position in the file.
    pub(super) row: usize,
    pub(super) tools: Arc<[Tool]>,
    /// The dialogue, of which the turns before `gold` are history.
    pub(super) dialogue: Arc<[Turn]>,
    /// The position of the gold reply; inside `dialogue`.
    pub(super) gold: usize,
    /// Whether names are opaque.
    pub(super) masked: bool,
}

/// Sources bring no thoughts, so that gold replies have a fixed one: no term of the reward compares thoughts.
pub(crate) const CALL_THOUGHT: &str = "My tools can do this, so I call what is needed.";
pub(crate) const RESPONSE_THOUGHT: &str = "No call is needed now, so I answer in words.";

impl Turn {
    /// The thought, calls and response of a reply as text; empty where it has none.
    pub(super) fn parts(&self) -> (&'static str, String, &str) {
        match self {
            Self::Calls(calls) => {
                let lines: Vec<_> = calls.iter().map(Call::text).collect();
                (CALL_THOUGHT, lines.join("\n"), "")
            }
            Self::Response(text) => (RESPONSE_THOUGHT, String::new(), text),
            Self::User(_) | Self::Observation(_) => ("", String::new(), ""),
        }
    }

    /// The turn as text: a whole reply in the released form, or what was said or returned.
    pub(super) fn text(&self) -> String {
        let (thought, calls, response) = self.parts();
        match self {
            Self::User(text) | Self::Observation(text) => text.clone(),
            Self::Calls(_) => format!("<think> {thought} </think>\n<tool_call>\n{calls}\n</tool_call>"),
            Self::Response(_) => format!("<think> {thought} </think>\n<response> {response} </response>"),
        }
    }
}

impl Call {
    /// The call as one line of JSON.
    fn text(&self) -> String {
        format!("{{\"name\": {}, \"parameters\": {}}}", quoted(&self.name), object(&self.arguments))
    }
}

impl Step {
    /// The turns before the gold reply.
    pub(super) fn history(&self) -> &[Turn] {
        &self.dialogue[..self.gold]
    }

    /// The gold reply.
    pub(super) fn gold(&self) -> &Turn {
        &self.dialogue[self.gold]
    }

    /// What the step asks for.
    pub(super) fn kind(&self) -> TaskKind {
        match self.gold() {
            Turn::Calls(_) if self.masked => TaskKind::Masked,
            Turn::Calls(_) if self.gold > 1 => TaskKind::History,
            Turn::Calls(calls) if calls.len() > 1 => TaskKind::SeveralCalls,
            Turn::Calls(_) => TaskKind::OneCall,
            _ => TaskKind::NoCall,
        }
    }

    /// Equal for steps of equal prompt and gold reply, whatever the prompt's template.
    pub(super) fn hash(&self) -> u64 {
        let mut parts: Vec<&str> = Vec::new();
        for tool in self.tools.iter() {
            parts.extend([tool.name.as_str(), &tool.description]);
            parts.extend(tool.params.iter().flat_map(|(name, schema)| [name.as_str(), schema]));
        }
        let turns: Vec<_> = self.dialogue[..=self.gold].iter().map(Turn::text).collect();
        parts.extend(turns.iter().map(String::as_str));
        hash(&parts)
    }
}

/// An object of JSON texts as one line.
pub(super) fn object(entries: &[(String, String)]) -> String {
    let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{}: {value}", quoted(key))).collect();
    format!("{{{}}}", entries.join(", "))
}

fn quoted(text: &str) -> String {
    json_text(&Value::str(text))
}

/// A value as JSON text that keeps letters as they are.
pub(super) fn json_text(value: &Value<'_>) -> String {
    Unicode(value).to_string()
}
